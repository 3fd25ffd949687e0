//! Every route of the API and who may call it, in one list: the router, the OpenAPI document, and the tests of every route with
//! every caller are made from it.
//!
//! Adding a route:
//! 1. A file `handlers/<noun>/<verb>.rs` that begins with ``//! `POST /api/v1/things`: what it does.`` The document takes that text.
//! 2. Types of bodies and answers derive `utoipa::ToSchema` beside `Serialize` or `Deserialize`; a field whose JSON is not its
//!    type's says so (`#[schema(value_type = String)]`). The handler takes `Body<T>` and, of the path, an `Id<T>` of the thing's own
//!    type (`ids.rs`, or `protocol`'s), and answers with `Json<T>`, `Created<T>` (201), `Accepted` (202), `NoContent` (204), or one
//!    of these `WithCookies`. Another type that it takes or answers with implements `openapi::InContract`, in a few lines: see
//!    `handlers/audit/mod.rs`.
//! 3. A line in the list below, one in the matrix (`tests/management/matrix/calls.rs`), one in `docs/protocol.md`, section 5.
//! 4. `cargo xtask openapi` writes `docs/openapi.json` anew. After a rebase, too: never merge that file by hand.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use axum::{Extension, Router, middleware};
use tokio::sync::Semaphore;

use crate::app::App;
use crate::cors::{self, Cors};
use crate::handlers::{
    accounts, alerts, audit, cell, contract, destinations, factors, group_invitations, groups, identities, instance,
    invitations, join_domains, join_requests, joining, keys, letters, me, operator, passkeys, people, policy,
    providers, push, recovery, service_accounts, sessions, setup, sign_in, sign_out, step_up,
};
use crate::openapi::{Sketch, sketch};
use crate::problem::ApiError;
use crate::scope::{ForKeys, Scope};
use crate::{cross_site, limits, outer, refusals, tenant_api};

/// Who may call a route. What a route does with things that are not the caller's is the storage functions' to refuse, with 404.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Without signing in: what is needed is in the body.
    Anyone,
    /// Somebody whose sign-in is not finished.
    Half,
    /// Anybody with a session, finished or not.
    AnySession,
    SignedIn,
    /// Who has just shown who they are, or has still to set up a second factor.
    Enroller,
    /// Who has just shown who they are.
    Fresh,
    /// Who has just signed in, with everything that they have to show.
    NewlySignedIn,
    /// Anybody but an observer.
    Contributor,
    /// An owner or an admin.
    Manager,
    /// An owner or an admin who has just shown who they are.
    FreshManager,
    /// An owner who has just shown who they are.
    FreshOwner,
    /// Of the tenant API: whoever has the operator's token.
    Operator,
    /// Of the tenant API: a tenant, by its key.
    Tenant,
    /// The operator of the installation, who is nobody in an organisation.
    OperatorSession,
    /// The operator, who has just shown their token.
    FreshOperator,
}

impl Access {
    /// In words, for the document.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Anyone => "Anybody may call it, without signing in.",
            Self::Half => "For somebody whose sign-in is not finished.",
            Self::AnySession => "For anybody with a session, finished or not.",
            Self::SignedIn => "For anybody who is signed in.",
            Self::Enroller => {
                "For who has shown within ten minutes who they are, or has still to set up a second factor."
            }
            Self::Fresh => "For who has shown within ten minutes who they are.",
            Self::NewlySignedIn => "For who has signed in within ten minutes, with a second factor if they have one.",
            Self::Contributor => "For anybody but an observer.",
            Self::Manager => "For an owner or an admin.",
            Self::FreshManager => "For an owner or an admin who has shown within ten minutes who they are.",
            Self::FreshOwner => "For an owner who has shown within ten minutes who they are.",
            Self::Operator => "For whoever has the operator's token.",
            Self::Tenant => "For a tenant of the tenant API.",
            Self::OperatorSession => {
                "For the operator of the installation, who signed in with the token of the data directory."
            }
            Self::FreshOperator => "For the operator, who has shown the token within ten minutes.",
        }
    }
}

/// One operation of the API.
pub(crate) struct Route {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    /// What an API key needs to call it; without one, no key does.
    pub scope: Option<Scope>,
    /// What its types say of it, for the document.
    pub sketch: fn() -> Sketch,
    pub handler: MethodRouter<App>,
}

macro_rules! routes {
    ($($method:ident $path:literal $access:ident $(+ $scope:ident)? => $handler:path),+ $(,)?) => {
        vec![$(Route {
            method: Method::$method,
            path: concat!("/api/v1", $path),
            access: Access::$access,
            scope: None$(.or(Some(Scope::$scope)))?,
            sketch: || sketch($handler),
            handler: on(MethodFilter::$method, $handler),
        }),+]
    };
}

/// The list.
pub(crate) fn all() -> Vec<Route> {
    routes! {
        GET "/openapi.json" Anyone => contract::document::get,
        GET "/docs" Anyone => contract::page::get,
        GET "/docs.css" Anyone => contract::style::get,
        GET "/instance" Anyone => instance::get,
        POST "/setup" Anyone => setup::post,
        POST "/sign-in" Anyone => sign_in::request::post,
        POST "/sign-in/complete" Anyone => sign_in::complete::post,
        GET "/sign-in/providers" Anyone => sign_in::providers::get,
        POST "/sign-in/provider" Anyone => sign_in::provider::post,
        GET "/sign-in/return/{provider}" Anyone => sign_in::back::get,
        GET "/sign-in/pending" Half => sign_in::pending::get,
        POST "/sign-in/factor" Half => sign_in::factor::post,
        POST "/passkeys/challenge" Anyone => passkeys::challenge::post,
        POST "/sign-in/passkey" Anyone => passkeys::sign_in::post,
        POST "/sign-out" AnySession => sign_out::post,
        POST "/step-up" SignedIn => step_up::post,
        POST "/step-up/passkey" SignedIn => passkeys::step_up::post,
        GET "/sessions" SignedIn => sessions::list::get,
        DELETE "/sessions" SignedIn => sessions::end_others::delete,
        DELETE "/sessions/{id}" SignedIn => sessions::end::delete,
        GET "/factors" SignedIn => factors::list::get,
        POST "/factors/authenticator" Enroller => factors::begin::post,
        POST "/factors/authenticator/confirm" Enroller => factors::confirm::post,
        DELETE "/factors/authenticator" Fresh => factors::remove::delete,
        POST "/factors/backup-codes" Fresh => factors::backup_codes::post,
        POST "/factors/passkeys/begin" Enroller => passkeys::begin::post,
        POST "/factors/passkeys" Enroller => passkeys::create::post,
        PUT "/factors/passkeys/{id}" SignedIn => passkeys::rename::put,
        DELETE "/factors/passkeys/{id}" Fresh => passkeys::remove::delete,
        GET "/accounts" SignedIn => accounts::list::get,
        POST "/accounts" Fresh => accounts::link::post,
        DELETE "/accounts/{id}" Fresh => accounts::unlink::delete,
        GET "/providers" Manager => providers::list::get,
        POST "/providers" FreshManager => providers::create::post,
        PUT "/providers/{id}" FreshManager => providers::change::put,
        POST "/providers/{id}/test" Manager => providers::test::post,
        DELETE "/providers/{id}" FreshManager => providers::remove::delete,
        GET "/audit" SignedIn + AuditRead => audit::list::get,
        GET "/audit/export" Manager + AuditRead => audit::export::get,
        GET "/audit/export.csv" Manager + AuditRead => audit::csv::get,
        GET "/audit/export.cef" Manager + AuditRead => audit::cef::get,
        GET "/destinations" Manager => destinations::list::get,
        POST "/destinations" FreshManager => destinations::create::post,
        POST "/destinations/{id}/test" Manager => destinations::test::post,
        PUT "/destinations/{id}/stream" FreshManager => destinations::stream::put,
        DELETE "/destinations/{id}" FreshManager => destinations::remove::delete,
        GET "/alerts" Manager => alerts::list::get,
        POST "/alerts" FreshManager => alerts::create::post,
        POST "/alerts/{id}/test" Manager => alerts::test::post,
        DELETE "/alerts/{id}" FreshManager => alerts::remove::delete,
        GET "/policy" SignedIn + PeopleRead => policy::get,
        PUT "/policy" FreshOwner => policy::put,
        GET "/me" SignedIn + Profile => me::get,
        PUT "/me" SignedIn => me::put,
        GET "/people" SignedIn + PeopleRead => people::list::get,
        GET "/people/{id}/cascade" FreshManager => people::cascade::get,
        PUT "/people/{id}/role" FreshManager => people::role::put,
        POST "/people/{id}/suspend" FreshManager => people::suspend::post,
        POST "/people/{id}/reset-factors" FreshManager => people::reset_factors::post,
        POST "/people/{id}/restore" FreshManager => people::restore::post,
        DELETE "/people/{id}" FreshManager => people::remove::delete,
        GET "/keys" SignedIn => keys::list::get,
        POST "/keys" Fresh => keys::create::post,
        POST "/keys/{id}/rotate" Fresh => keys::rotate::post,
        DELETE "/keys/{id}" SignedIn => keys::revoke::delete,
        GET "/service-accounts" Manager => service_accounts::list::get,
        POST "/service-accounts" FreshManager => service_accounts::create::post,
        DELETE "/service-accounts/{id}" FreshManager => service_accounts::remove::delete,
        POST "/service-accounts/{id}/keys" FreshManager => service_accounts::key::post,
        GET "/groups" SignedIn + GroupsRead => groups::list::get,
        POST "/groups" Contributor + GroupsManage => groups::create::post,
        GET "/groups/{id}" SignedIn + GroupsRead => groups::get::get,
        PUT "/groups/{id}" SignedIn + GroupsManage => groups::change::put,
        PUT "/groups/{id}/members" SignedIn + GroupsManage => groups::role::put,
        POST "/groups/{id}/members/remove" SignedIn + GroupsManage => groups::remove_member::post,
        POST "/groups/{id}/invitations" SignedIn + GroupsManage => groups::invite::post,
        POST "/groups/{id}/invitations/withdraw" SignedIn + GroupsManage => groups::withdraw::post,
        GET "/group-invitations" SignedIn => group_invitations::list::get,
        POST "/group-invitations/{id}/accept" SignedIn => group_invitations::accept::post,
        POST "/group-invitations/{id}/decline" SignedIn => group_invitations::decline::post,
        GET "/identities" SignedIn => identities::list::get,
        PUT "/identity" SignedIn => identities::put::put,
        GET "/invitations" Manager + PeopleManage => invitations::list::get,
        POST "/invitations" Manager + PeopleManage => invitations::create::post,
        DELETE "/invitations/{id}" Manager + PeopleManage => invitations::revoke::delete,
        POST "/invitations/{id}/resend" Manager + PeopleManage => invitations::resend::post,
        POST "/invitations/preview" Anyone => invitations::preview::post,
        POST "/invitations/accept" Anyone => invitations::accept::post,
        GET "/join-domains" Manager => join_domains::list::get,
        PUT "/join-domains" FreshManager => join_domains::put::put,
        DELETE "/join-domains/{id}" FreshManager => join_domains::remove::delete,
        GET "/join-requests" Manager + PeopleManage => join_requests::list::get,
        POST "/join-requests/{id}/approve" Manager + PeopleManage => join_requests::approve::post,
        POST "/join-requests/{id}/refuse" Manager + PeopleManage => join_requests::refuse::post,
        POST "/joining/preview" Anyone => joining::preview::post,
        POST "/joining/accept" Anyone => joining::accept::post,
        GET "/push" SignedIn => push::list::get,
        POST "/push/devices" SignedIn => push::add::post,
        PUT "/push/devices/{id}" SignedIn => push::renew::put,
        DELETE "/push/devices/{id}" SignedIn => push::remove::delete,
        GET "/letters" SignedIn => letters::list::get,
        POST "/letters" SignedIn => letters::send::post,
        POST "/letters/received" SignedIn => letters::received::post,
        GET "/recovery" SignedIn => recovery::get::get,
        PUT "/recovery/contacts" SignedIn => recovery::contacts::put,
        POST "/recovery/request" NewlySignedIn => recovery::request::post,
        POST "/recovery/release" SignedIn => recovery::release::post,
        POST "/recovery/stop" SignedIn => recovery::stop::post,
        GET "/cell" SignedIn + CellRead => cell::get::get,
        POST "/cell/wake" SignedIn + CellWake => cell::wake::post,
        POST "/cell/token" SignedIn => cell::token::post,
        POST "/operator/sign-in" Anyone => operator::sign_in::post,
        POST "/operator/sign-out" OperatorSession => operator::sign_out::post,
        POST "/operator/step-up" OperatorSession => operator::step_up::post,
        GET "/operator/session" OperatorSession => operator::session::get,
        GET "/operator/overview" OperatorSession => operator::overview::get,
        GET "/operator/tenants" OperatorSession => operator::tenants::get,
        POST "/operator/tenants" FreshOperator => operator::tenant_create::post,
        GET "/operator/tenants/{id}" OperatorSession => operator::tenant::get,
        GET "/operator/tenants/{id}/losses" OperatorSession => operator::tenant_losses::get,
        DELETE "/operator/tenants/{id}" FreshOperator => operator::tenant_remove::delete,
        POST "/operator/tenants/{id}/owner" FreshOperator => operator::tenant_owner::post,
        POST "/operator/tenants/{id}/suspend" FreshOperator => operator::tenant_suspend::post,
        POST "/operator/tenants/{id}/restore" FreshOperator => operator::tenant_restore::post,
        GET "/operator/people" OperatorSession => operator::people::get,
        POST "/operator/people/{id}/sign-out" OperatorSession => operator::person_sign_out::post,
        GET "/operator/people/{id}/cascade" FreshOperator => operator::person_cascade::get,
        POST "/operator/people/{id}/suspend" FreshOperator => operator::person_suspend::post,
        POST "/operator/people/{id}/restore" FreshOperator => operator::person_restore::post,
        GET "/operator/join-requests" OperatorSession => operator::waiting::get,
        POST "/operator/join-requests/{id}/approve" FreshOperator => operator::waiting_approve::post,
        POST "/operator/join-requests/{id}/refuse" FreshOperator => operator::waiting_refuse::post,
        GET "/operator/cells" OperatorSession => operator::cells::get,
        GET "/operator/cells/{id}" OperatorSession => operator::cell::get,
        POST "/operator/cells/{id}/act" OperatorSession => operator::act::post,
        GET "/operator/health" OperatorSession => operator::health::get,
        GET "/operator/audit" OperatorSession => operator::audit::get,
        GET "/operator/audit/export" OperatorSession => operator::audit_export::get,
    }
}

/// The router, for `/api/v1/*`. What else is there, such as the channel, is merged beside it and goes before its 404.
pub(crate) fn router(app: App) -> Router {
    let room = Arc::new(Semaphore::new(limits::REQUESTS_AT_ONCE));
    let routes = all().into_iter().fold(Router::new(), |router, route| {
        router.route(route.path, route.handler.layer(Extension(ForKeys(route.scope))))
    });
    let people = routes
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .route("/api/v1/{*rest}", any(async || ApiError::NotFound))
        .layer(middleware::from_fn_with_state(app.clone(), cross_site::refuse))
        .layer(middleware::from_fn_with_state(app.clone(), refusals::notice))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(middleware::from_fn_with_state(room, outer::admit))
        .layer(middleware::from_fn(outer::wrap))
        .with_state(app.clone());
    let tenants = app.tenant_api.is_some();
    let keyed = all()
        .into_iter()
        .chain(tenant_api::all().into_iter().filter(|_| tenants));
    let cors = Cors::of(&app.config.cors_origins, keyed);
    let routes = match tenants {
        true => tenant_api::front(app, people),
        false => people,
    };
    match cors {
        Some(cors) => routes.layer(middleware::from_fn_with_state(cors, cors::answer)),
        None => routes,
    }
}
