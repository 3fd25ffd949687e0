//! Whole-system tests: the real binary, Docker, PostgreSQL and OpenClaw. `cargo xtask test` builds what they run.

mod after_a_lock;
mod approvals;
mod backups;
mod command_line;
mod contract;
mod conversations;
mod first_conversation;
mod group_resources;
mod http_edges;
mod lying_relay;
mod mail;
mod openai_sdks;
mod promise_01;
mod promise_04;
mod promise_05;
mod promise_05_steps;
mod promise_06;
mod refusals;
mod relay_alone;
mod second_person;
mod setup;
mod sharing;
mod tenant_api;
mod told_to_end;
mod told_to_the_agent;
mod two_installations;
