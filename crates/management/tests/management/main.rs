//! The part as a whole: its real routes, a real PostgreSQL started by the tests, mail in a real outbox.

// Tests may unwrap; so may what they share, which Clippy does not see as a test.
#![allow(clippy::unwrap_used)]

mod agent_waits;
mod alerts;
mod audit;
mod audit_streams;
mod cell;
mod chain_watch;
mod contract;
mod cors;
mod custody;
mod database;
mod destinations;
mod embedded;
mod errors;
mod groups;
mod instance;
mod invitations;
mod joining;
mod keys;
mod look_ups;
mod matrix;
mod operator;
mod organisations;
mod overload;
mod passkeys;
mod people;
mod providers;
mod push;
mod recovery;
mod refusals;
mod removal;
mod requests_while_locked;
mod row_security;
mod second_factor;
mod sessions;
mod setup;
mod shared_limits;
mod sign_in;
mod support;
mod tenant_again;
mod tenant_agents;
mod tenant_api;
mod tenant_approvals;
mod tenant_chat;
mod tenant_conformance;
mod tenant_examples;
mod tenant_functions;
mod tenant_matrix;
mod tenant_openai;
mod tenant_schedules;
mod tenant_streams;
mod tenant_templates;
mod tenant_webhooks;
mod time_alone;
