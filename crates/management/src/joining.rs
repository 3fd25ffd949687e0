//! Joining an organisation without an invitation: at once, or once somebody who manages it agrees. Either way the address is shown
//! to be theirs first, and nobody who is here already is touched.

use futures::StreamExt as _;
use protocol::UserId;

use crate::access::{Client, LetsIn};
use crate::app::App;
use crate::audit::{Action, By, Entry, Target};
use crate::ids::JoinRequestId;
use crate::limits;
use crate::mail::{self, Letter};
use crate::person::{Email, Name, Role};
use crate::problem::ApiError;
use crate::providers::Account;
use crate::sign_in;
use crate::storage::join_requests::Asked;
use crate::storage::linked_accounts::Link;
use crate::storage::{StorageError, TenantTransaction, join_domains, join_requests, linked_accounts, tenants, users};

/// Somebody whose address was shown to be theirs.
pub(crate) struct Newcomer<'a> {
    pub name: &'a Name,
    pub email: &'a Email,
    /// The account at another site that they came with.
    pub account: Option<&'a Account>,
}

/// Lets somebody in whose domain may join: who they are now. `waiting` when somebody has to agree, which is noted and told.
pub(crate) async fn join(
    app: &App,
    mut transaction: TenantTransaction,
    client: &Client,
    newcomer: &Newcomer<'_>,
) -> Result<(TenantTransaction, UserId), ApiError> {
    if users::has_email(&mut transaction, newcomer.email).await? {
        return Err(ApiError::AlreadyMember);
    }
    match join_domains::rule(&mut transaction, newcomer.email).await? {
        None => Err(ApiError::LinkInvalid),
        Some(true) => {
            ask(app, transaction, client, newcomer).await?;
            Err(ApiError::Waiting)
        }
        Some(false) => {
            let user = admit(app, &mut transaction, newcomer).await?;
            let by = By::user(user, newcomer.name.as_str(), client);
            let entry = Entry::done(Action::Joined)
                .on(Target::new("person", user, newcomer.name.as_str()))
                .with("domain", newcomer.email.domain());
            app.audit.record(&mut transaction, &by, entry).await?;
            Ok((transaction, user))
        }
    }
}

/// Makes somebody a member, with the account that they came with.
pub(crate) async fn admit(
    app: &App,
    transaction: &mut TenantTransaction,
    newcomer: &Newcomer<'_>,
) -> Result<UserId, ApiError> {
    let now = app.clock.now();
    let created = users::create(transaction, newcomer.name, newcomer.email, Role::Member, now).await;
    let user = created.map_err(|error| match error {
        StorageError::Conflict(rule) if rule == "users_tenant_id_email_key" => ApiError::AlreadyMember,
        other => other.into(),
    })?;
    join_requests::forget(transaction, newcomer.email).await?;
    if let Some(account) = newcomer.account
        && linked_accounts::link(transaction, user, account, now).await? == Link::Taken
    {
        return Err(ApiError::AccountTaken);
    }
    Ok(user)
}

async fn ask(
    app: &App,
    mut transaction: TenantTransaction,
    client: &Client,
    newcomer: &Newcomer<'_>,
) -> Result<(), ApiError> {
    let now = app.clock.now();
    let Newcomer { name, email, account } = *newcomer;
    match join_requests::ask(&mut transaction, name, email, account, now).await? {
        Asked::TooMany => return Err(ApiError::TooManyWaiting),
        // What they brought is used up all the same.
        Asked::Already => return Ok(transaction.commit().await?),
        Asked::Waits(id) => {
            let entry = Entry::done(Action::JoinAsked).on(Target::new("join_request", id, email.as_str()));
            app.audit
                .record(&mut transaction, &By::nobody(Some(client)), entry)
                .await?;
        }
    }
    let organisation = tenants::name(&mut transaction).await?;
    let managers = users::managers(&mut transaction).await?;
    transaction.commit().await?;
    let page = app.config.public_url.page("people/waiting");
    let letters: Vec<_> = managers
        .iter()
        .filter_map(|manager| Email::parse(manager).ok())
        .map(|to| mail::join_asked(&to, &organisation, name.as_str(), email.as_str(), &page))
        .collect();
    // Beside the request: a mail server that does not answer keeps nobody waiting who asks, nor the mails to the others. Each of those
    // who wait is told of once, and [`limits::JOIN_REQUESTS`] of them wait.
    let app = app.clone();
    tokio::spawn(async move {
        let app = &app;
        futures::stream::iter(letters)
            .for_each_concurrent(limits::MAILS_AT_ONCE, |letter| send(app, letter))
            .await;
    });
    Ok(())
}

/// What somebody who waits is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Approve,
    Refuse,
}

/// What was answered to whom: to be written down, and told once that is kept.
pub(crate) struct Answered {
    answer: Answer,
    target: Target,
    email: Email,
    pub letter: Option<Letter>,
}

impl Answered {
    pub(crate) fn entry(&self) -> Entry {
        match self.answer {
            Answer::Approve => Entry::done(Action::JoinApproved)
                .on(self.target.clone())
                .with("email", self.email.as_str()),
            Answer::Refuse => Entry::done(Action::JoinRefused).on(self.target.clone()),
        }
    }
}

/// Lets somebody in who waits, as a member, or refuses them.
pub(crate) async fn answer(
    app: &App,
    transaction: &mut TenantTransaction,
    by: &impl LetsIn,
    id: JoinRequestId,
    answer: Answer,
) -> Result<Answered, ApiError> {
    let found = match answer {
        Answer::Approve => join_requests::take(transaction, by, id).await?,
        Answer::Refuse => join_requests::refuse(transaction, by, id, app.clock.now()).await?,
    };
    let waiting = found.ok_or(ApiError::NotFound)?;
    let email = Email::parse(&waiting.email).map_err(|_| StorageError::Unreadable("address of who waits"))?;
    let organisation = tenants::name(transaction).await?;
    let (target, letter) = match answer {
        Answer::Refuse => (
            Target::new("join_request", id, email.as_str()),
            mail::join_refused(&email, &organisation),
        ),
        Answer::Approve => {
            let name = Name::parse(&waiting.name).map_err(|_| StorageError::Unreadable("name of who waits"))?;
            let account = waiting.issuer.zip(waiting.subject).map(|(issuer, subject)| Account {
                issuer,
                subject,
                email: None,
                name: None,
                label: waiting.email,
            });
            let newcomer = Newcomer {
                name: &name,
                email: &email,
                account: account.as_ref(),
            };
            let user = admit(app, transaction, &newcomer).await?;
            let page = app.config.public_url.page(&sign_in::page_of(transaction.tenant()));
            (
                Target::new("person", user, name.as_str()),
                mail::join_approved(&email, &organisation, &page),
            )
        }
    };
    Ok(Answered {
        answer,
        target,
        email,
        letter,
    })
}

/// Tells somebody. The pages tell it too, so a mail that is not sent undoes nothing.
pub(crate) async fn send(app: &App, letter: Option<Letter>) {
    if let Some(letter) = letter
        && let Err(error) = app.mailer.send(letter).await
    {
        tracing::error!(%error, "a notice about joining could not be mailed");
    }
}
