//! The real OpenClaw in the agent's image, behind the bridge, in the hands of the keeper's own `Agent`: no platform, no
//! vault, the scripted model on the broker's socket. `HOLDFAST_CELLS__AGENT_IMAGE` names the image; `cargo xtask test`
//! assembles it and sets the variable.

mod cell;
mod conversation;
mod lifecycle;
