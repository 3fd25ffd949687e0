//! Makes deliveries of the alerts that are due, sends the deliveries that are due, of every organisation, and tries again what was
//! not taken. Everything waits in the database, so a restart loses none; what was handed over just before one may come twice.

use std::sync::Arc;

use axum::http::Request;
use futures::StreamExt as _;
use protocol::TenantId;

use super::destination::Kind;
use super::form::Said;
use super::{Delivery, NotTaken, Notice, What};
use crate::clock::{after, millis};
use crate::ids::{AlertId, DeliveryId, DestinationId};
use crate::limits;
use crate::mail;
use crate::outside::OutsideClient;
use crate::person::Email;
use crate::repeating::Repeating;
use crate::storage::deliveries::{self, Load, Receiver};
use crate::storage::{StorageError, TenantTransaction, alerts, audit, push_devices, tenants};

impl Delivery {
    /// Sends, until what is returned is stopped. What waits then is sent by the next one.
    pub(crate) fn start(this: &Arc<Self>) -> Repeating {
        let this = this.clone();
        Repeating::start(limits::DELIVERY_CHECK, move || {
            let this = this.clone();
            async move {
                if let Err(error) = this.round().await {
                    tracing::warn!(%error, "what is to be told could not be looked for; it waits");
                }
            }
        })
    }

    async fn round(&self) -> Result<(), StorageError> {
        for (tenant, alert) in alerts::due(&self.database, self.clock.now()).await? {
            self.enqueue(tenant, alert).await?;
        }
        let due = deliveries::due(&self.database, self.clock.now()).await?;
        let sending =
            futures::stream::iter(due).for_each_concurrent(limits::DELIVERIES_TOGETHER, |(tenant, id)| async move {
                if let Err(error) = self.deliver(tenant, id).await {
                    tracing::warn!(%error, delivery = %id, "a delivery could not be looked at; it waits");
                }
            });
        sending.await;
        Ok(())
    }

    /// From now on the alert is told: whatever comes up about the same is another one.
    async fn enqueue(&self, tenant: TenantId, alert: AlertId) -> Result<(), StorageError> {
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
        let notice = Notice {
            what: What::Alert(due.trigger),
            organisation: tenants::name(&mut transaction).await?,
            events: due.events,
            summary: due.summary,
            about: Notice::about(due.rule, &due.subject),
            at: millis(now),
        };
        deliveries::enqueue(&mut transaction, due.rule, due.destination, &notice, now).await?;
        alerts::told(&mut transaction, alert, now).await?;
        transaction.commit().await
    }

    async fn deliver(&self, tenant: TenantId, id: DeliveryId) -> Result<(), StorageError> {
        let now = self.clock.now();
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        // Another server may have it in hand.
        let Some(mut due) = deliveries::take(&mut transaction, id, now).await? else {
            return Ok(());
        };
        if let Some(ends) = due.quiet.and_then(|quiet| quiet.ends(now)) {
            deliveries::put_off(&mut transaction, id, ends).await?;
            return transaction.commit().await;
        }
        // Who came meanwhile is not called any more.
        if let Some(device) = due.device()
            && !(self.push.is_some() && push_devices::something_waits(&mut transaction, device, now).await?)
        {
            deliveries::call_off(&mut transaction, id).await?;
            return transaction.commit().await;
        }
        let events = match &mut due.load {
            Load::Notice(_) | Load::Body(_) | Load::Nothing => Vec::new(),
            Load::Events { after, up_to } => {
                let mut events = audit::in_order(
                    &mut transaction,
                    *after,
                    up_to.unwrap_or(i64::MAX),
                    limits::STREAM_EVENTS,
                )
                .await?;
                if up_to.is_none() {
                    cut(&mut events);
                    *up_to = events.last().map(|event| event.seq);
                }
                events
            }
        };
        // Before it is sent: if this server stops now, another one tries again then.
        let wait = limits::DELIVERY_RETRY.saturating_mul(1_u32 << due.tries.clamp(0, 8));
        deliveries::tried(&mut transaction, id, &due.load, after(now, wait)).await?;
        transaction.commit().await?;

        let taken = match &due.load {
            Load::Notice(notice) => self.tell(tenant, &due.receiver, id, &Said::Notice(notice)).await,
            Load::Body(body) => match &due.receiver {
                Receiver::Webhook { id: hook, sealed } => self.tell_hook(tenant, *hook, sealed, id.uuid(), body).await,
                _ => Err(NotTaken::NoStream("it")),
            },
            Load::Nothing => match (&due.receiver, &self.push) {
                (Receiver::Device { id: device, sealed }, Some(push)) => push.wake(tenant, *device, sealed, now).await,
                _ => Err(NotTaken::NoStream("it")),
            },
            Load::Events { .. } if events.is_empty() => Ok(()),
            Load::Events { .. } => {
                self.tell(tenant, &due.receiver, id, &Said::Events(tenant, &events))
                    .await
            }
        };
        let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
        match taken {
            Ok(()) => deliveries::taken(&mut transaction, id, &due, self.clock.now()).await?,
            Err(problem) => {
                let words = problem.to_string();
                tracing::warn!(
                    problem = words,
                    "an alert, audit events, a turn's end or a push message were not taken"
                );
                if let Some(device) = due.device()
                    && problem.is_gone()
                {
                    // What waits for it goes with it.
                    push_devices::gone(&mut transaction, device).await?;
                    return transaction.commit().await;
                }
                let now = self.clock.now();
                let over = problem.is_final() || due.tries + 1 >= limits::DELIVERY_TRIES;
                let again = problem
                    .come_back()
                    .map(|asked| after(now, asked.clamp(wait, limits::DELIVERY_WAIT)));
                deliveries::failed(&mut transaction, id, &due, &words, over, again, now).await?;
            }
        }
        transaction.commit().await
    }

    async fn tell(&self, tenant: TenantId, to: &Receiver, id: DeliveryId, said: &Said<'_>) -> Result<(), NotTaken> {
        match (to, said) {
            (Receiver::Mailbox(email), Said::Notice(notice)) => self.mail(email, notice).await,
            (Receiver::Mailbox(_), Said::Events(..)) => Err(NotTaken::NoStream("a mailbox")),
            (Receiver::Webhook { .. }, _) => Err(NotTaken::NoStream("a tenant's webhook")),
            (Receiver::Device { .. }, _) => Err(NotTaken::NoStream("a device")),
            (
                Receiver::Destination {
                    id: destination,
                    kind,
                    sealed,
                },
                _,
            ) => {
                self.tell_destination(tenant, *destination, *kind, sealed, id, said)
                    .await
            }
        }
    }

    /// Sends a mail now, whatever waits.
    pub(crate) async fn mail(&self, email: &Email, notice: &Notice) -> Result<(), NotTaken> {
        let letter = mail::alert(
            email,
            &notice.organisation,
            notice.what.words(),
            notice.events,
            &notice.summary,
            &self.page,
        );
        let sent = self.mailer.send(letter.ok_or(NotTaken::Mailbox)?).await;
        sent.map_err(|error| NotTaken::Mail(error.to_string()))
    }

    /// Tells a destination now, whatever waits.
    pub(crate) async fn test(
        &self,
        tenant: TenantId,
        destination: DestinationId,
        kind: Kind,
        sealed: &[u8],
        notice: &Notice,
    ) -> Result<(), NotTaken> {
        let said = Said::Notice(notice);
        self.tell_destination(tenant, destination, kind, sealed, DeliveryId::new(), &said)
            .await
    }

    async fn tell_destination(
        &self,
        tenant: TenantId,
        destination: DestinationId,
        kind: Kind,
        sealed: &[u8],
        id: DeliveryId,
        said: &Said<'_>,
    ) -> Result<(), NotTaken> {
        let reach = self.key.open(tenant, destination, sealed).ok_or(NotTaken::Sealed)?;
        if kind == Kind::Syslog {
            return self.syslog(&reach, said).await;
        }
        post(&self.outside, self.request(kind, &reach, id, said)?).await
    }
}

/// Hands it over; anything but 2xx is a no.
pub(super) async fn post(outside: &OutsideClient, request: Request<Vec<u8>>) -> Result<(), NotTaken> {
    let answered = outside.tell(request).await?;
    match answered.status.is_success() {
        true => Ok(()),
        false => Err(NotTaken::Refused {
            status: answered.status.as_u16(),
            come_back: answered.retry_after,
        }),
    }
}

/// So many events as one delivery holds, and one at least.
fn cut(events: &mut Vec<audit::Stored>) {
    let mut bytes = 0;
    let fits = events.iter().take_while(|event| {
        bytes += event.body.len();
        bytes <= limits::STREAM_BYTES
    });
    let fits = fits.count().max(1);
    events.truncate(fits);
}
