//! How a tenant's limit of spending holds over several agents. Each agent's keeper counts for itself and refuses a call before it is made, so
//! each is told a limit of its own, and these together are never more than the tenant's: every agent beside the first has a share that the
//! operator chose, and the first has what is left.
//!
//! A share that comes back may have been spent: it is held until the day, and the month, is over, and only then is the first agent's again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::TenantId;
use serde::Deserialize;
use serde_json::{Value, json};
use time::{Date, OffsetDateTime};
use tokio::sync::OwnedMutexGuard;

use super::agents::read;
use super::failure::Failure;
use crate::app::App;
use crate::problem::ApiError;
use crate::storage::TenantTransaction;
use crate::storage::api_agents::{self, ApiAgent};
use crate::storage::api_tenants::{self, ApiTenant, Held, Limits, Share};

/// The day's of a share, or the month's.
type OfPeriod = fn(Share) -> Option<i64>;

fn same_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}

impl Held {
    /// What is still held on this day.
    fn by(self, today: Date) -> Self {
        let in_month = self.on.is_some_and(|on| same_month(on, today));
        let on_day = self.on == Some(today);
        let held = Self {
            day: if on_day { self.day } else { 0 },
            month: if in_month { self.month } else { 0 },
            on: Some(today),
        };
        match (held.day, held.month) {
            (0, 0) => Self::default(),
            _ => held,
        }
    }

    /// With what is a limit and comes back: what was no share of one is nobody's. Where that is nothing, what was held stays as it is, also of
    /// a day that is over: only who has told the first agent of it forgets it ([`give_back`]).
    pub(super) fn with(self, back: Share, of: Limits, now: OffsetDateTime) -> Self {
        let more = |limit: Option<i64>, back: Option<i64>| limit.and(back).unwrap_or(0);
        let (day, month) = (more(of.spend_day, back.day), more(of.spend_month, back.month));
        if (day, month) == (0, 0) {
            return self;
        }
        let held = self.by(now.date());
        Self {
            day: held.day.saturating_add(day),
            month: held.month.saturating_add(month),
            on: Some(now.date()),
        }
    }
}

impl Limits {
    /// Whether one of them is of spending.
    pub(super) fn of_spending(self) -> bool {
        self.spend_day.is_some() || self.spend_month.is_some()
    }
}

impl Share {
    /// What comes back when this share becomes the other one.
    pub(super) fn back(self, new: Self) -> Self {
        let back = |before: Option<i64>, new: Option<i64>| Some(before?.saturating_sub(new?).max(0));
        Self {
            day: back(self.day, new.day),
            month: back(self.month, new.month),
        }
    }

    /// The larger of the two, each by itself; none is no limit.
    pub(super) fn or_more(self, other: Self) -> Self {
        let larger = |one: Option<i64>, other: Option<i64>| Some(one?.max(other?));
        Self {
            day: larger(self.day, other.day),
            month: larger(self.month, other.month),
        }
    }
}

/// What the first agent may spend: what the others' shares, and what is held, leave of the tenant's limits. Below nothing where that is more
/// than those are.
pub(super) fn left(tenant: &ApiTenant, others: &[ApiAgent], now: OffsetDateTime) -> Share {
    let held = tenant.held.by(now.date());
    let of = |limit: Option<i64>, held: i64, share: OfPeriod| {
        let shares = others.iter().filter_map(|agent| share(agent.share));
        limit.map(|limit| shares.fold(limit.saturating_sub(held), i64::saturating_sub))
    };
    Share {
        day: of(tenant.limits.spend_day, held.day, |share| share.day),
        month: of(tenant.limits.spend_month, held.month, |share| share.month),
    }
}

/// Whether the others' shares fit into the tenant's limits, and each has one where there is a limit.
pub(super) fn check(limits: Limits, others: &[ApiAgent]) -> Result<(), ApiError> {
    let periods: [(_, _, OfPeriod); 2] = [
        ("limits.spend_day", limits.spend_day, |share| share.day),
        ("limits.spend_month", limits.spend_month, |share| share.month),
    ];
    for (field, limit, share) in periods {
        let Some(limit) = limit else { continue };
        let mut together = 0_i64;
        for agent in others {
            let share = share(agent.share).ok_or_else(|| ApiError::InvalidField {
                field,
                reason: format!(
                    "This tenant's spending is limited, so the agent {} needs a share of it.",
                    agent.name
                ),
            })?;
            together = together.saturating_add(share);
        }
        if together > limit {
            return Err(ApiError::InvalidField {
                field,
                reason: format!(
                    "The shares of the agents beside `{}` are {together} together, more than the tenant's limit of {limit}.",
                    api_agents::MAIN
                ),
            });
        }
    }
    Ok(())
}

/// Tells the first agent's keeper what it may spend as things are stored now.
pub(super) async fn tell_main(app: &App, tenant: TenantId) -> Result<(), ApiError> {
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    let tenant = api_tenants::find(&mut transaction).await?.ok_or(ApiError::NotFound)?;
    let others = api_agents::list(&mut transaction, &tenant).await?;
    transaction.commit().await?;
    tell_main_beside(app, &tenant, &others).await?;
    Ok(())
}

/// After something failed that the first agent's keeper was told of, or may have been: it is told again what is stored.
pub(super) async fn tell_main_again(app: &App, tenant: TenantId) {
    if let Err(error) = tell_main(app, tenant).await {
        tracing::warn!(%error, %tenant, "the first agent may have been told another share than is stored; the next change of an agent tells it");
    }
}

/// Tells it what these others leave; gives what that is before it is cut off at nothing.
async fn tell_main_beside(app: &App, tenant: &ApiTenant, others: &[ApiAgent]) -> Result<Share, ApiError> {
    let left = left(tenant, others, app.clock.now());
    let api = app.tenant_api()?;
    api.ask(tenant.cell(), "spending.set", limits_of(left)).await?;
    Ok(left)
}

/// A share as a keeper is told its limits.
pub(super) fn limits_of(share: Share) -> Value {
    let limit = |share: Option<i64>| share.map(|share| share.max(0));
    json!({"day": limit(share.day), "month": limit(share.month)})
}

#[derive(Deserialize)]
struct Told {
    spent: Spent,
}

/// Millionths of a US dollar, today and in this month.
#[derive(Deserialize)]
struct Spent {
    day: i64,
    month: i64,
}

/// Takes from the first agent what others are going to have, before that is stored and they are told so: whatever breaks off then, what is
/// stored has been taken. Where it is `more` than they had, it is refused if the first agent has spent it already, or if it is still held.
pub(super) async fn take_from_main(
    app: &App,
    tenant: &ApiTenant,
    others: &[ApiAgent],
    more: bool,
) -> Result<(), ApiError> {
    if !tenant.limits.of_spending() {
        return Ok(());
    }
    let taken = take(app, tenant, others, more).await;
    if taken.is_err() {
        tell_main_again(app, tenant.id).await;
    }
    taken
}

async fn take(app: &App, tenant: &ApiTenant, others: &[ApiAgent], more: bool) -> Result<(), ApiError> {
    let left = tell_main_beside(app, tenant, others).await?;
    if !more {
        return Ok(());
    }
    let told = app.tenant_api()?.ask(tenant.cell(), "spending.get", json!({}));
    let Told { spent } = read(told.await?)?;
    let is_over = |left: Option<i64>, spent: i64| left.is_some_and(|left| spent > left);
    let period = match (is_over(left.day, spent.day), is_over(left.month, spent.month)) {
        (true, _) => "today",
        (_, true) => "this month",
        _ => return Ok(()),
    };
    let words = format!(
        "Of the tenant's limit, that much may have been spent {period} already. Give the agent less, or wait until that is over.",
    );
    let status = axum::http::StatusCode::CONFLICT;
    Err(ApiError::Agent(Failure::new(status, "share_spent", &words)))
}

/// Before a turn of the first agent, and before more is held: what was held of days and months that are over is its own again.
pub(super) async fn give_back(app: &App, tenant: TenantId, held_on: Option<Date>) -> Result<(), ApiError> {
    let today = app.clock.now().date();
    if held_on.is_none_or(|on| on >= today) {
        return Ok(());
    }
    let _alone = app.tenant_api()?.shares.of(tenant).await;
    tell_main(app, tenant).await?;
    let mut transaction = TenantTransaction::begin(&app.database, tenant).await?;
    if let Some(stored) = api_tenants::find(&mut transaction).await? {
        api_agents::hold(&mut transaction, stored.held.by(today)).await?;
    }
    Ok(transaction.commit().await?)
}

/// Whoever changes what the agents of a tenant may spend does so alone: what is stored and what keepers were told then agree.
#[derive(Default)]
pub(crate) struct Shares(Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>);

impl Shares {
    fn all(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else changes those of this tenant, until what is returned is dropped.
    pub(super) async fn of(&self, tenant: TenantId) -> Alone<'_> {
        let one = Arc::clone(self.all().entry(tenant).or_default());
        Alone {
            shares: self,
            tenant,
            one: Some(one.lock_owned().await),
        }
    }
}

/// Nobody else changes what the agents of a tenant may spend.
pub(super) struct Alone<'a> {
    shares: &'a Shares,
    tenant: TenantId,
    one: Option<OwnedMutexGuard<()>>,
}

impl Drop for Alone<'_> {
    /// Where nobody waits, the tenant is not remembered: who asks may have made it up.
    fn drop(&mut self) {
        let mut all = self.shares.all();
        drop(self.one.take());
        if all.get(&self.tenant).is_some_and(|one| Arc::strong_count(one) == 1) {
            all.remove(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::CellId;
    use time::macros::datetime;

    use super::*;

    fn tenant(held: Held) -> ApiTenant {
        ApiTenant {
            id: TenantId::new(),
            cell: CellId::new(),
            name: "Anna".to_owned(),
            template: None,
            model: None,
            fallbacks: Vec::new(),
            limits: Limits {
                requests_per_minute: None,
                spend_day: Some(10),
                spend_month: Some(100),
            },
            held,
            created_at: OffsetDateTime::UNIX_EPOCH,
            updated_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn share(day: i64, month: i64) -> Share {
        Share {
            day: Some(day),
            month: Some(month),
        }
    }

    #[tokio::test]
    async fn one_at_a_time_changes_those_of_a_tenant_which_is_not_remembered_afterwards() {
        let (shares, tenant) = (Shares::default(), TenantId::new());
        let first = shares.of(tenant).await;
        let mut second = std::pin::pin!(shares.of(tenant));
        assert!(futures::poll!(second.as_mut()).is_pending());
        let other = shares.of(TenantId::new()).await;
        drop(first);
        let second = second.await;
        assert!(shares.all().contains_key(&tenant));
        drop((second, other));
        assert!(shares.all().is_empty());
    }

    #[test]
    fn what_comes_back_is_nobodys_until_the_day_and_the_month_are_over() {
        let limits = tenant(Held::default()).limits;
        let noon = datetime!(2026-11-29 12:00 UTC);
        let held = Held::default().with(share(2, 20), limits, noon);
        let held = held.with(share(1, 10), limits, noon);
        assert_eq!(left(&tenant(held), &[], noon), share(7, 70));
        let tomorrow = datetime!(2026-11-30 00:00 UTC);
        assert_eq!(left(&tenant(held), &[], tomorrow), share(10, 70));
        // What comes back later is held beside what still is.
        let later = held.with(share(4, 5), limits, tomorrow);
        assert_eq!(left(&tenant(later), &[], tomorrow), share(6, 65));
        let december = datetime!(2026-12-01 00:00 UTC);
        assert_eq!(left(&tenant(later), &[], december), share(10, 100));
        assert_eq!(later.by(december.date()), Held::default());
        // What nothing comes back to is not forgotten, for the first agent has not been told yet that it is its own again.
        assert_eq!(held.with(share(0, 0), limits, december), held);
        assert_eq!(held.with(Share::default(), limits, tomorrow), held);
        // Where there is no limit, nothing is held of it.
        let unlimited = Limits::default();
        assert_eq!(Held::default().with(share(2, 20), unlimited, noon), Held::default());
    }

    #[test]
    fn the_first_agent_has_what_the_shares_of_the_others_leave() {
        let tenant = tenant(Held::default());
        let with = |share| ApiAgent { share, ..tenant.main() };
        let noon = datetime!(2026-11-29 12:00 UTC);
        assert_eq!(
            left(&tenant, &[with(share(3, 30)), with(share(7, 50))], noon),
            share(0, 20)
        );
        assert!(check(tenant.limits, &[with(share(3, 30)), with(share(7, 70))]).is_ok());
        for wrong in [
            vec![with(share(3, 30)), with(share(8, 30))],
            vec![with(share(1, 101))],
            vec![with(Share {
                day: Some(1),
                month: None,
            })],
            vec![with(Share {
                day: None,
                month: Some(1),
            })],
        ] {
            assert!(matches!(
                check(tenant.limits, &wrong),
                Err(ApiError::InvalidField { .. })
            ));
        }
        // A limit that is lowered leaves less than nothing, which a keeper is told as nothing.
        let over = left(&tenant, &[with(share(12, 50))], noon);
        assert_eq!(over, share(-2, 50));
        assert_eq!(limits_of(over), json!({"day": 0, "month": 50}));
    }

    #[test]
    fn a_share_that_changes_gives_back_what_is_less_and_asks_for_what_is_more() {
        let none = Share::default();
        assert_eq!(share(5, 50).back(share(3, 60)), share(2, 0));
        assert_eq!(share(5, 50).or_more(share(3, 60)), share(5, 60));
        assert_eq!(share(5, 50).back(none), none);
        assert_eq!(share(5, 50).or_more(none), none);
        assert_eq!(none.back(share(3, 60)), none);
    }
}
