//! Sends sign-in links in the background, so that asking for one takes the same time whether or not anybody has the address.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderValue;
use futures::StreamExt as _;
use protocol::TenantId;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::access::Client;
use crate::app::App;
use crate::audit::{Action, AuditLog, By, Entry, Target};
use crate::clock::{Clock, Entropy, NoEntropy, after};
use crate::config::PublicUrl;
use crate::database::Database;
use crate::limits;
use crate::mail::{self, MailError, Mailer};
use crate::person::Email;
use crate::problem::ApiError;
use crate::secret_token::{SecretToken, TokenHash};
use crate::session;
use crate::storage::{StorageError, TenantTransaction, join_domains, join_links, sign_in_links, tenants, users};

/// Takes requests for links, until it is closed.
pub(crate) struct SignInQueue(Mutex<Option<mpsc::Sender<Asked>>>);

impl SignInQueue {
    /// Notes that somebody wants to sign in; false when too many wait, or the server stops.
    pub(crate) fn push(&self, asked: Asked) -> bool {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().is_some_and(|queue| queue.try_send(asked).is_ok())
    }

    /// Takes no more requests.
    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The background work. Dropping it ends the work at once.
pub(crate) struct Sending(Mutex<Option<JoinHandle<()>>>);

impl Sending {
    /// Closes the queue, sends what waits in it, and returns when that is done or has taken too long.
    pub(crate) async fn finish(&self, queue: &SignInQueue) {
        queue.close();
        let task = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(limits::MAIL_TIME, &mut task).await.is_err() {
            tracing::warn!("stopped before every sign-in link was sent");
            task.abort();
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// What sending links needs.
pub(crate) struct Sender {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub mailer: Arc<dyn Mailer>,
    pub public_url: PublicUrl,
    pub audit: Arc<AuditLog>,
}

/// Somebody who wants to sign in.
pub(crate) struct Asked {
    pub email: Email,
    /// What the browser that asked keeps: the link works there alone.
    pub browser: TokenHash,
    pub client: Client,
}

/// The cookie that the browser keeps until the link arrives.
pub(crate) fn cookie_name(public_url: &PublicUrl) -> &'static str {
    match public_url.is_tls() {
        true => "__Host-holdfast_begun",
        false => "holdfast_begun",
    }
}

/// The address of the sign-in page with the buttons of an organisation, without the host and the first slash.
pub(crate) fn page_of(tenant: TenantId) -> String {
    format!("sign-in?organisation={tenant}")
}

/// What tells this browser from others, and the cookie to give it if it has none yet.
pub(crate) fn mark(app: &App, client: &Client) -> Result<(TokenHash, Option<HeaderValue>), ApiError> {
    if let Some(begun) = client.begun {
        return Ok((begun, None));
    }
    let token = SecretToken::generate(&*app.entropy)?;
    let url = &app.config.public_url;
    let cookie = session::set_cookie(cookie_name(url), url, &token, limits::BROWSER_COOKIE_LIFE)?;
    Ok((token.hash(), Some(cookie)))
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

impl Sender {
    /// Starts sending. The task ends when the queue is closed and empty.
    pub(crate) fn start(self) -> (SignInQueue, Sending) {
        let (sender, receiver) = mpsc::channel(limits::MAIL_QUEUE);
        let waiting = futures::stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Asked>| {
            receiver.recv().await.map(|asked| (asked, receiver))
        });
        let task = tokio::spawn(async move {
            let this = &self;
            waiting
                .for_each_concurrent(limits::MAILS_AT_ONCE, async |asked| {
                    // Neither the address nor the link may reach the log.
                    if let Err(error) = this.send(&asked).await {
                        tracing::error!(%error, "a sign-in link could not be sent");
                    }
                })
                .await;
        });
        (SignInQueue(Mutex::new(Some(sender))), Sending(Mutex::new(Some(task))))
    }

    async fn send(&self, asked: &Asked) -> Result<(), SendError> {
        let email = &asked.email;
        let mut links = Vec::new();
        for (tenant, user) in
            users::find_by_email(&self.database, email, Some(limits::ORGANISATIONS_PER_ADDRESS)).await?
        {
            let token = SecretToken::generate(&*self.entropy)?;
            let now = self.clock.now();
            let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
            let expires_at = after(now, limits::SIGN_IN_LINK_LIFE);
            sign_in_links::create(&mut transaction, user, token.hash(), asked.browser, now, expires_at).await?;
            let organisation = tenants::name(&mut transaction).await?;
            let entry = Entry::done(Action::LinkSent).on(Target::new("person", user, ""));
            let by = By::nobody(Some(&asked.client));
            self.audit.record(&mut transaction, &by, entry).await?;
            transaction.commit().await?;
            links.push((organisation, self.public_url.link("sign-in", &token.text())));
        }
        let joins = self.joins(asked).await?;
        match mail::sign_in(email, &links, &joins) {
            Some(letter) => Ok(self.mailer.send(letter).await?),
            None => Ok(()),
        }
    }

    /// Links to organisations that the address may join and in which nobody has it.
    async fn joins(&self, asked: &Asked) -> Result<Vec<(String, String)>, SendError> {
        let mut links = Vec::new();
        for tenant in join_domains::find_by_email(&self.database, &asked.email).await? {
            let mut transaction = TenantTransaction::begin(&self.database, tenant).await?;
            if users::has_email(&mut transaction, &asked.email).await? {
                continue;
            }
            let token = SecretToken::generate(&*self.entropy)?;
            let now = self.clock.now();
            let expires_at = after(now, limits::JOIN_LINK_LIFE);
            join_links::create(
                &mut transaction,
                &asked.email,
                token.hash(),
                asked.browser,
                now,
                expires_at,
            )
            .await?;
            let organisation = tenants::name(&mut transaction).await?;
            transaction.commit().await?;
            links.push((
                organisation,
                self.public_url.link("join", &format!("new:{}", *token.text())),
            ));
        }
        Ok(links)
    }
}
