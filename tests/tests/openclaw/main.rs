//! The real OpenClaw in the agent's image, behind the bridge, in the hands of the keeper's own `Agent`: no platform, no
//! vault, the scripted model, or the keeper's broker before several, on the broker's socket. `HOLDFAST_CELLS__AGENT_IMAGE` names the image; `cargo xtask test`
//! assembles it and sets the variable.

mod cell;
mod conversation;
mod fallback;
mod lifecycle;
