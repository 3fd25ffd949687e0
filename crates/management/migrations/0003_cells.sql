-- The cell of each person. What runs is read from the driver; here is only whose it is.

CREATE TABLE cells (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    user_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
ALTER TABLE cells ENABLE ROW LEVEL SECURITY;
ALTER TABLE cells FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON cells USING (tenant_id = (SELECT holdfast_tenant()));
GRANT SELECT, INSERT ON cells TO holdfast_app;
