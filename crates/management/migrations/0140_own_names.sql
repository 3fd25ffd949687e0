-- People change their own name.

GRANT UPDATE (name) ON users TO holdfast_app;
