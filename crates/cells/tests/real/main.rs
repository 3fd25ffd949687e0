//! Against real sockets, and a real Docker with an image that is nothing but busybox. Needs root, Docker and iptables.
#![allow(clippy::unwrap_used)]

mod blobs;

mod confinement;
mod installation;
mod keeper;
mod life;
mod network;
mod platform;
mod proxy;
mod sessions;
mod volumes;
