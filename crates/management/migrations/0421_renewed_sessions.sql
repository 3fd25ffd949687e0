-- A session gets another token with each factor that is shown in it, and the operator's with each look at their token.
GRANT UPDATE (token_hash) ON sessions TO holdfast_app;
GRANT UPDATE (token_hash) ON operator_sessions TO holdfast_app;
