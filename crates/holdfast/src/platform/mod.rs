//! Platform custody: the client of the channel, in the server's own process, for cells that no person opens. It comes in as a browser
//! does, by OPAQUE; only its secret is one that management keeps.

mod hearing;
mod line;
mod openings;

use std::sync::Arc;

use ::client::ClientError;
use cells::{Cells, CellsError};
use futures::future::{BoxFuture, FutureExt as _};
use management::{AgentError, CellRef, Custody, CustodyError, Listening, ModelParams, PlatformAgents, RemovedCell};
use serde::Serialize;
use serde_json::{Value, json};

use crate::limits;
use line::Line;
use openings::Openings;

/// Speaks to the cells of the tenant API: at most one channel each, for all requests at once.
pub struct Platform {
    cells: Cells,
    custody: Arc<Custody>,
    lines: Openings<Arc<Line>>,
}

impl Platform {
    pub fn new(cells: Cells, custody: Arc<Custody>) -> Self {
        Self {
            cells,
            custody,
            lines: Openings::new(|line| line.is_open()),
        }
    }

    /// The channel of a cell, whose vault is open. Wakes the cell.
    async fn line(&self, cell: CellRef) -> Result<Arc<Line>, AgentError> {
        let (cells, custody) = (self.cells.clone(), Arc::clone(&self.custody));
        let open = || async move { Line::open(&cells, &custody, cell).await.map(Arc::new) };
        self.lines.get(cell.cell, open).await
    }

    /// Calls a method; once more where the vault was locked or the connection had ended meanwhile. What is called twice is done once:
    /// turns have keys, the same answer to a request counts once, and everything else sets or reads.
    async fn ask(
        &self,
        cell: CellRef,
        method: &'static str,
        params: &(impl Serialize + Sync),
    ) -> Result<Value, AgentError> {
        let line = self.line(cell).await?;
        match line.channel().call(method, params).await {
            Err(ClientError::Closed(_)) => line.ended(),
            Err(ClientError::Refused(error)) if error.code == "vault_locked" => line.ended(),
            done => return done.map_err(refused),
        }
        let line = self.line(cell).await?;
        line.channel().call(method, params).await.map_err(refused)
    }
}

#[derive(Serialize)]
struct Models {
    providers: Vec<ModelParams>,
}

impl PlatformAgents for Platform {
    fn call<'a>(
        &'a self,
        cell: CellRef,
        method: &'static str,
        params: Value,
    ) -> BoxFuture<'a, Result<Value, AgentError>> {
        async move {
            let answer = self.ask(cell, method, &params).await?;
            if method == "chat.delete"
                && let Some(conversation) = params["conversation"].as_str()
            {
                self.line(cell).await?.forget(conversation);
            }
            Ok(answer)
        }
        .boxed()
    }

    fn set_model(&self, cell: CellRef, model: ModelParams) -> BoxFuture<'_, Result<(), AgentError>> {
        async move { self.ask(cell, "model.set", &model).await.map(|_| ()) }.boxed()
    }

    fn set_models(&self, cell: CellRef, models: Vec<ModelParams>) -> BoxFuture<'_, Result<(), AgentError>> {
        async move {
            let params = Models { providers: models };
            let told = self.ask(cell, "provider.replace", &params).await;
            told.map(|_| ()).map_err(not_known_yet)
        }
        .boxed()
    }

    fn listen<'a>(&'a self, cell: CellRef, conversation: &'a str) -> BoxFuture<'a, Result<Listening, AgentError>> {
        async move {
            let line = self.line(cell).await?;
            let events = line.hear(conversation);
            let conversation = conversation.to_owned();
            let opened = async move {
                if line.has_opened(&conversation) {
                    return Ok(());
                }
                let params = json!({"conversation": conversation});
                line.channel().call("chat.open", params).await.map_err(refused)?;
                line.note_opened(conversation);
                Ok(())
            };
            Ok(Listening {
                events,
                opened: opened.boxed(),
            })
        }
        .boxed()
    }

    fn has_room(&self, cell: CellRef) -> bool {
        self.cells.has_spare_room(cell.cell)
    }

    fn leave(&self, cell: CellRef) -> BoxFuture<'_, bool> {
        async move {
            match self.cells.pause(cell.cell).await {
                Ok(()) | Err(CellsError::NotAwake { .. }) => true,
                Err(error) => {
                    tracing::debug!(cell = %cell.cell, %error, "a cell that is not needed any more goes on");
                    false
                }
            }
        }
        .boxed()
    }

    fn remove(&self, cell: CellRef) -> BoxFuture<'_, Result<RemovedCell, AgentError>> {
        async move {
            let _going = self.lines.close(cell.cell).await;
            // Where another one removes it, asking again goes on.
            let removed = self.cells.remove(cell.cell, cell.tenant).await.map_err(later)?;
            Ok(RemovedCell {
                blobs: removed.blobs,
                bytes: removed.bytes,
            })
        }
        .boxed()
    }
}

fn busy(message: &str) -> AgentError {
    AgentError::Unavailable {
        message: message.to_owned(),
        retry_after: limits::PLATFORM_RETRY,
    }
}

/// What the cell, or its keeper, said no with.
fn refused(error: ClientError) -> AgentError {
    match error {
        // An agent that did not start is one to come back for.
        ClientError::Refused(error) if matches!(error.code.as_str(), "agent_failed" | "vault_locked" | "store") => {
            busy(&error.message)
        }
        ClientError::Refused(error) => AgentError::Refused(error),
        ClientError::Closed(_) | ClientError::NotOpened(_) | ClientError::EventsNotRead(_) => busy(&error.to_string()),
        // Another keeper, an older vault, a wrong secret: not to be tried again, and to be looked at.
        error => {
            tracing::error!(%error, "a cell of the tenant API was refused");
            AgentError::Failed(error.to_string())
        }
    }
}

/// A keeper that runs since before an update has the methods of its own version, until its cell sleeps.
fn not_known_yet(error: AgentError) -> AgentError {
    match error {
        AgentError::Refused(error) if error.code == "unknown_method" => busy(
            "The cell runs an older keeper until it sleeps, which knows no models to go on to: ask again after that.",
        ),
        error => error,
    }
}

/// A cell that cannot be had now, or not any more.
fn unavailable(error: CellsError) -> AgentError {
    match error {
        CellsError::Removed { .. } | CellsError::WrongTenant => AgentError::Gone,
        error => later(error),
    }
}

fn later(error: CellsError) -> AgentError {
    let retry_after = error.retry_after();
    // The operator's: it may name folders and addresses of the machine.
    let of_the_machine = matches!(
        error,
        CellsError::Driver(_) | CellsError::Folder { .. } | CellsError::Blobs { .. }
    );
    if of_the_machine || retry_after.is_none() {
        tracing::error!(%error, "a cell of the tenant API cannot be had");
    }
    let message = match of_the_machine {
        true => "The agent's machine has a fault, which the operator's log names: ask again later.".to_owned(),
        false => error.to_string(),
    };
    AgentError::Unavailable {
        message,
        retry_after: retry_after.unwrap_or(limits::PLATFORM_RETRY),
    }
}

fn not_kept(error: CustodyError) -> AgentError {
    if matches!(error, CustodyError::NotKept) {
        // Whoever removes a cell begins with its secret.
        return AgentError::Gone;
    }
    tracing::error!(%error, "the secret of a cell cannot be had");
    match error {
        CustodyError::Storage(_) => busy("The database cannot be reached."),
        error => AgentError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use cells::driver::DriverError;
    use protocol::CellId;
    use protocol::channel::ChannelError;

    use super::*;

    #[test]
    fn a_cell_that_cannot_be_had_is_to_be_asked_for_again_and_one_that_was_removed_is_gone() {
        let (cell, words) = (CellId::new(), || "/srv/of/the/operator".to_owned());
        for error in [
            CellsError::Full { capacity: 1 },
            CellsError::Driver(DriverError::Unreachable(words())),
            CellsError::NotAttached { cell },
            CellsError::KeeperEnded { cell },
            CellsError::Keeper {
                code: words(),
                message: words(),
            },
            CellsError::KeeperSilent {
                cell,
                limit: limits::PLATFORM_OPENING,
            },
            CellsError::ChannelNotDialled,
            CellsError::TooManyChannels,
            CellsError::NotAwake { cell },
            CellsError::InUse { cell },
            CellsError::SentToSleep { cell },
            CellsError::Folder {
                path: words(),
                message: words(),
            },
            CellsError::Blobs { message: words() },
            CellsError::ShuttingDown,
        ] {
            let of_the_machine = matches!(
                error,
                CellsError::Driver(_) | CellsError::Folder { .. } | CellsError::Blobs { .. }
            );
            let wait = error.retry_after().unwrap_or(limits::PLATFORM_RETRY);
            let later = unavailable(error);
            assert!(
                matches!(later, AgentError::Unavailable { retry_after, .. } if retry_after == wait && !wait.is_zero()),
                "{later:?}"
            );
            assert!(!of_the_machine || !later.to_string().contains("/srv"), "{later}");
        }
        for error in [CellsError::Removed { cell }, CellsError::WrongTenant] {
            assert!(matches!(unavailable(error), AgentError::Gone));
        }
        // While it is removed by another request, too.
        let going = later(CellsError::Removed { cell });
        assert!(matches!(going, AgentError::Unavailable { .. }), "{going:?}");
    }

    #[test]
    fn an_agent_that_did_not_start_is_to_be_asked_again_whatever_it_was_asked() {
        for code in ["agent_failed", "vault_locked", "store"] {
            let error = refused(ClientError::Refused(ChannelError::new(code, "no")));
            assert!(matches!(error, AgentError::Unavailable { .. }), "{error:?}");
        }
        let error = refused(ClientError::Refused(ChannelError::new("unknown_conversation", "no")));
        assert!(matches!(error, AgentError::Refused(_)), "{error:?}");
    }

    #[test]
    fn what_an_older_keeper_does_not_know_is_to_be_asked_again() {
        let refused = |code: &str| AgentError::Refused(ChannelError::new(code, "no"));
        let later = not_known_yet(refused("unknown_method"));
        assert!(matches!(later, AgentError::Unavailable { message, .. } if message.contains("older keeper")));
        assert!(matches!(not_known_yet(refused("malformed")), AgentError::Refused(_)));
    }

    #[test]
    fn a_cell_whose_secret_is_kept_no_more_is_gone() {
        assert!(matches!(not_kept(CustodyError::NotKept), AgentError::Gone));
        assert!(matches!(not_kept(CustodyError::Damaged), AgentError::Failed(_)));
    }
}
