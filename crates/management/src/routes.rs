//! Every route of the API, in one list: the router is made from it, and the tests go through it.

use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, any, on};
use axum::{Router, middleware};

use crate::app::App;
use crate::handlers::{
    cell, identities, instance, invitations, letters, me, people, recovery, setup, sign_in, sign_out,
};
use crate::problem::ApiError;
use crate::{cross_site, limits, outer};

/// One operation of the API.
pub(crate) struct Route {
    pub method: Method,
    pub path: &'static str,
    handler: MethodRouter<App>,
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path),+ $(,)?) => {
        vec![$(Route {
            method: Method::$method,
            path: concat!("/api/v1", $path),
            handler: on(MethodFilter::$method, $handler),
        }),+]
    };
}

/// The list.
pub(crate) fn all() -> Vec<Route> {
    routes! {
        GET "/instance" => instance::get,
        POST "/setup" => setup::post,
        POST "/sign-in" => sign_in::request::post,
        POST "/sign-in/complete" => sign_in::complete::post,
        POST "/sign-out" => sign_out::post,
        GET "/me" => me::get,
        GET "/people" => people::get,
        GET "/identities" => identities::list::get,
        PUT "/identity" => identities::put::put,
        GET "/invitations" => invitations::list::get,
        POST "/invitations" => invitations::create::post,
        DELETE "/invitations/{id}" => invitations::revoke::delete,
        POST "/invitations/{id}/resend" => invitations::resend::post,
        POST "/invitations/preview" => invitations::preview::post,
        POST "/invitations/accept" => invitations::accept::post,
        GET "/letters" => letters::list::get,
        POST "/letters" => letters::send::post,
        POST "/letters/received" => letters::received::post,
        GET "/recovery" => recovery::get::get,
        PUT "/recovery/contacts" => recovery::contacts::put,
        POST "/recovery/request" => recovery::request::post,
        POST "/recovery/release" => recovery::release::post,
        POST "/recovery/stop" => recovery::stop::post,
        GET "/cell" => cell::get::get,
        POST "/cell/wake" => cell::wake::post,
        POST "/cell/token" => cell::token::post,
    }
}

/// The router, for `/api/v1/*`. What else is there, such as the channel, is merged beside it and goes before its 404.
pub(crate) fn router(app: App) -> Router {
    let routes = all()
        .into_iter()
        .fold(Router::new(), |router, route| router.route(route.path, route.handler));
    routes
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .route("/api/v1/{*rest}", any(async || ApiError::NotFound))
        .layer(middleware::from_fn_with_state(app.clone(), cross_site::refuse))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(middleware::from_fn(outer::wrap))
        .with_state(app)
}
