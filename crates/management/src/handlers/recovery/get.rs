//! `GET /api/v1/recovery`: one's own recovery and what is asked of one's own vault.

use axum::Json;
use axum::extract::State;
use protocol::{Millis, UserId, b64};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::SignedIn;
use crate::app::App;
use crate::clock::millis;
use crate::ids::RecoveryRequestId;
use crate::limits;
use crate::problem::ApiError;
use crate::storage::{recovery, users};

#[derive(Serialize, ToSchema)]
pub(crate) struct Recovery {
    contacts: Vec<Who>,
    threshold: i16,
    wait_ms: i64,
    request: Option<Own>,
    /// Requests in one's own name that one has stopped lately, each as it was made: for one's own vault to tell the contacts' keepers.
    #[schema(value_type = Vec<String>)]
    stopped: Vec<Text>,
    asked: Vec<Asked>,
}

/// Bytes as text.
#[derive(Serialize)]
struct Text(#[serde(with = "b64")] Vec<u8>);

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryContact)]
struct Who {
    id: UserId,
    name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryRequest)]
struct Own {
    #[schema(value_type = Uuid)]
    id: RecoveryRequestId,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    request: Vec<u8>,
    at: Millis,
    releases: Vec<Release>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryRelease)]
struct Release {
    from: UserId,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    sealed: Vec<u8>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryAsked)]
struct Asked {
    #[schema(value_type = Uuid)]
    id: RecoveryRequestId,
    user: Who,
    #[serde(with = "b64")]
    #[schema(value_type = String, content_encoding = "base64url")]
    request: Vec<u8>,
    at: Millis,
    released: bool,
}

pub(crate) async fn get(State(app): State<App>, person: SignedIn) -> Result<Json<Recovery>, ApiError> {
    let mut transaction = person.transaction(&app).await?;
    let contacts = recovery::contacts(&mut transaction, &person).await?;
    let people = users::list(&mut transaction).await?;
    let since = app.clock.now() - limits::RECOVERY_REQUEST_LIFE;
    let stopped = recovery::stopped(&mut transaction, &person, since).await?;
    let mut request = None;
    let mut asked = Vec::new();
    for found in recovery::requests(&mut transaction, &person, since).await? {
        if found.user == person.session().user {
            let releases = recovery::releases(&mut transaction, &person, found.id).await?;
            request = Some(Own {
                id: found.id,
                request: found.request,
                at: millis(found.created_at),
                releases: releases
                    .into_iter()
                    .map(|release| Release {
                        from: release.contact,
                        sealed: release.sealed,
                    })
                    .collect(),
            });
        } else {
            asked.push(Asked {
                id: found.id,
                user: Who {
                    id: found.user,
                    name: found.user_name,
                },
                request: found.request,
                at: millis(found.created_at),
                released: found.released,
            });
        }
    }
    let name = |id: UserId| {
        people
            .iter()
            .find(|known| known.id == id)
            .map(|known| known.name.clone())
    };
    Ok(Json(Recovery {
        contacts: contacts
            .contacts
            .iter()
            .filter_map(|id| name(*id).map(|name| Who { id: *id, name }))
            .collect(),
        threshold: contacts.threshold,
        wait_ms: contacts.wait_ms,
        request,
        stopped: stopped.into_iter().map(Text).collect(),
        asked,
    }))
}
