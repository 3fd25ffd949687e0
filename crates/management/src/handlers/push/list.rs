//! `GET /api/v1/push`: one's own devices that are told that something waits, and what a browser subscribes with.

use axum::Json;
use axum::extract::State;
use protocol::Millis;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::millis;
use crate::delivery::Push;
use crate::ids::PushDeviceId;
use crate::problem::ApiError;
use crate::storage::push_devices::{self, PushDevice};

#[derive(Serialize, ToSchema)]
#[schema(as = PushDevices)]
pub(crate) struct Devices {
    /// This installation's public key, as `applicationServerKey` takes it. Left out where the operator has turned Web Push off.
    #[serde(skip_serializing_if = "Option::is_none")]
    public_key: Option<String>,
    devices: Vec<DeviceAnswer>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PushDevice)]
struct DeviceAnswer {
    #[schema(value_type = Uuid)]
    id: PushDeviceId,
    /// What the browser said of itself.
    name: String,
    created_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_told_at: Option<Millis>,
}

impl From<PushDevice> for DeviceAnswer {
    fn from(device: PushDevice) -> Self {
        Self {
            id: device.id,
            name: device.name,
            created_at: millis(device.created_at),
            last_told_at: device.last_told_at.map(millis),
        }
    }
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Devices>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let devices = push_devices::list(&mut transaction, &person).await?;
    Ok(Json(Devices {
        public_key: app.delivery.push.as_ref().map(Push::public_key),
        devices: devices.into_iter().map(DeviceAnswer::from).collect(),
    }))
}
