//! Sends the alerts that are due, of every organisation, and tries again what the mail server did not take. They wait in the
//! database, so a restart loses none; what was handed over just before one may be sent twice.

use std::sync::{Arc, Mutex, PoisonError};

use protocol::TenantId;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::clock::{Clock, after};
use crate::config::PublicUrl;
use crate::database::Database;
use crate::limits;
use crate::mail::{self, Mailer};
use crate::storage::{StorageError, TenantTransaction, alerts, tenants};

/// The task. Dropping it ends it; what waits is sent by the next one.
pub(crate) struct AlertSending(Mutex<Option<JoinHandle<()>>>);

impl AlertSending {
    pub(crate) fn start(
        database: Database,
        clock: Arc<dyn Clock>,
        mailer: Arc<dyn Mailer>,
        public_url: PublicUrl,
    ) -> Self {
        let sender = Sender {
            database,
            clock,
            mailer,
            page: format!("{}/audit", public_url.origin()),
        };
        let task = tokio::spawn(async move {
            let mut next = tokio::time::interval(limits::ALERT_CHECK);
            next.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                next.tick().await;
                if let Err(error) = sender.send_due().await {
                    tracing::warn!(%error, "alerts could not be looked for; they wait");
                }
            }
        });
        Self(Mutex::new(Some(task)))
    }

    /// Gives the database's connections back, so that the pool can be closed.
    pub(crate) async fn stop(&self) {
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _aborted = task.await;
        }
    }
}

impl Drop for AlertSending {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

struct Sender {
    database: Database,
    clock: Arc<dyn Clock>,
    mailer: Arc<dyn Mailer>,
    /// Where the events are.
    page: String,
}

impl Sender {
    async fn send_due(&self) -> Result<(), StorageError> {
        for (tenant, alert) in alerts::due(&self.database, self.clock.now()).await? {
            self.send(tenant, alert).await?;
        }
        Ok(())
    }

    async fn send(&self, tenant: TenantId, alert: Uuid) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        // Another server may have it in hand.
        let Some(due) = alerts::take(&mut transaction, alert, now).await? else {
            return Ok(());
        };
        if let Some(ends) = due.quiet.and_then(|quiet| quiet.ends(now)) {
            alerts::put_off(&mut transaction, alert, ends).await?;
            return transaction.commit().await;
        }
        let organisation = tenants::name(&mut transaction).await?;
        // Before it is sent: if this server stops now, another one tries again then.
        let wait = limits::ALERT_RETRY.saturating_mul(1_u32 << due.tries.clamp(0, 8));
        alerts::tried(&mut transaction, alert, after(now, wait)).await?;
        transaction.commit().await?;

        let letter = mail::alert(
            &due.email,
            &organisation,
            due.trigger.words(),
            due.events,
            &due.summary,
            &self.page,
        );
        let sent = match letter {
            Some(letter) => self.mailer.send(letter).await.map_err(|error| error.to_string()),
            None => Err("the address cannot be written to".to_owned()),
        };
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        let now = self.clock.now();
        match sent {
            Ok(()) => alerts::sent(&mut transaction, alert, due.events, now).await?,
            Err(problem) => {
                tracing::warn!(problem, "an alert could not be mailed");
                let over = due.tries + 1 >= limits::ALERT_TRIES;
                alerts::failed(&mut transaction, alert, &problem, over.then_some(now)).await?;
            }
        }
        transaction.commit().await
    }
}
