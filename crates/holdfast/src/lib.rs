//! The parts of the `holdfast` binary that tests and the bench use too.

pub mod dev_model;
