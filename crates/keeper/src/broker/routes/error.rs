use hyper::StatusCode;
use protocol::channel::ChannelError;

use super::super::upstream::UpstreamError;
use super::fetch::NotFetched;
use crate::approvals::ApprovalError;
use crate::limits;
use crate::rates::RateError;
use crate::secrets::SecretError;
use crate::vault_service::VaultError;

/// Why a route is not stored, or a call through it not made.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    #[error("There is no route of this name.")]
    Unknown,
    #[error("A route's name is 1 to 40 of a-z, 0-9 and '-', and begins with a letter or digit.")]
    Name,
    #[error(
        "The base URL must be https://host/path without a user, a query or a fragment, in at most {} bytes (SECRET_FIELD_BYTES).",
        limits::SECRET_FIELD_BYTES
    )]
    BaseUrl,
    #[error("A secret cannot be put into this header.")]
    Header,
    #[error("The text before the secret is at most 40 visible characters.")]
    Prefix,
    #[error("The name of the parameter is 1 to 100 of letters, digits, '.', '_' and '-'.")]
    Parameter,
    #[error(
        "What a service is for is said in at most {} characters (ROUTE_ABOUT_CHARS).",
        limits::ROUTE_ABOUT_CHARS
    )]
    About,
    #[error("A vault has at most {} routes (ROUTES).", limits::ROUTES)]
    TooMany,
    #[error("The route was written by a newer version of Holdfast.")]
    Newer,
    #[error("The secret is shorter than 8 characters: it could not be kept from the agent in an answer.")]
    TooShort,
    #[error(
        "The secret is longer than {} bytes (ROUTE_SECRET_BYTES).",
        limits::ROUTE_SECRET_BYTES
    )]
    TooLong,
    #[error("The secret has characters in it that cannot be sent in a header.")]
    Unsendable,
    #[error("The owner of this vault has not allowed the agent to use this secret.")]
    NotAllowed,
    #[error("This route is for reading only (GET, HEAD).")]
    ReadOnly,
    #[error(
        "This service was called far more often than usual, so all calls of it are paused and nothing was done. Your owner sees it in Holdfast, \
         and only they can let it go on: tell them what you were doing, and do not try again before they have answered."
    )]
    Paused,
    #[error(
        "Your owner has to allow this first and has been asked; nothing was done. Tell them, and send the very same request again when they \
         have answered: the answer is for exactly this request."
    )]
    AskedOwner,
    #[error(
        "Your owner has allowed this, and a second person has to agree, too, and has been asked; nothing was done. Tell your owner, and send \
         the very same request again when both have answered."
    )]
    AskedSecond,
    #[error("Your owner said no to this.{}", said(.0))]
    Denied(String),
    #[error("{0}")]
    Approval(ApprovalError),
    #[error("This method cannot go through a route.")]
    Method,
    #[error("The request must name a path of the route, not a whole URL.")]
    AbsoluteUrl,
    #[error("The path leads out of the route.")]
    Path,
    #[error(
        "A parameter of the query, or a field of the body, has some services take a request for one of another method (_method and the like), or \
         the body is not what its content type says, is compressed or in another charset than UTF-8: say what is to be done by the method of the \
         request."
    )]
    OtherMethod,
    #[error(
        "A parameter of the query, or a field of the body, has some services take a request for one of another path (rest_route and the like), \
         and this service is one path: say what is to be done by the path of the request."
    )]
    OtherPath,
    #[error("This is no type of content.")]
    ContentType,
    #[error("This is a server of tools: it is called a tool at a time (call_integration), not through this address.")]
    ToolServer,
    #[error("There is no such tool here, or nobody has allowed it: ask for the list with an empty path.")]
    NoTool,
    #[error("This tool is called with {0}: its owner says that this is what it does.")]
    ToolMethod(&'static str),
    #[error(
        "The server describes this tool otherwise than when the service's owner allowed it. It is refused until they look at it again."
    )]
    ToolChanged,
    #[error("A tool's arguments are a JSON object.")]
    Arguments,
    #[error("The server of tools did not answer as one: {0}.")]
    NotTools(&'static str),
    #[error(
        "A server's tools are at most {} (ROUTE_TOOLS), each with a name of 1 to 128 letters, digits, '_', '-' and '.'.",
        limits::ROUTE_TOOLS
    )]
    Tools,
    #[error(
        "The answer is larger than {} bytes (FETCHED_BYTES): ask for less at once. If something was to be changed, look first whether it was.",
        limits::FETCHED_BYTES
    )]
    AnswerTooLarge,
    #[error(
        "The server of tools says more than {} bytes (TOOL_SERVER_BYTES) or {} values (TOOL_SERVER_NODES): ask for less at once, or have its owner \
         make it offer fewer tools.",
        limits::TOOL_SERVER_BYTES,
        limits::TOOL_SERVER_NODES
    )]
    ToolsTooMuch,
    #[error("The owner has changed this service or its secret meanwhile, and nothing was done: try again.")]
    Changed,
    /// What somebody else had of it: asked for again while the call was under way.
    #[error("{0}")]
    Ended(NotFetched),
    #[error("The service broke off its answer.")]
    AnswerBroke,
    #[error(
        "The body of the request is larger than {} bytes (ROUTE_REQUEST_BYTES).",
        limits::ROUTE_REQUEST_BYTES
    )]
    TooLarge,
    #[error(
        "A form or JSON is looked through for what makes some services delete something (_method), and this one is larger than {} bytes \
         (ROUTE_READ_BYTES): send less at once, or a file with a content type of its own.",
        limits::ROUTE_READ_BYTES
    )]
    TooLargeToRead,
    #[error("{0}")]
    Secret(#[from] SecretError),
    #[error("{0}")]
    Upstream(#[from] UpstreamErrorText),
}

/// What is wrong with the base URL, in words.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct UpstreamErrorText {
    code: &'static str,
    text: String,
}

impl From<UpstreamError> for RouteError {
    fn from(error: UpstreamError) -> Self {
        Self::Upstream(UpstreamErrorText {
            code: error.code(),
            text: error.to_string(),
        })
    }
}

fn said(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(" They wrote: {reason}")
    }
}

impl From<ApprovalError> for RouteError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Vault(error) => error.into(),
            ApprovalError::Paused => Self::Paused,
            error => Self::Approval(error),
        }
    }
}

impl From<RateError> for RouteError {
    fn from(error: RateError) -> Self {
        match error {
            RateError::Vault(error) => error.into(),
            RateError::Paused => Self::Paused,
        }
    }
}

impl From<VaultError> for RouteError {
    fn from(error: VaultError) -> Self {
        Self::Secret(error.into())
    }
}

impl RouteError {
    pub(in crate::broker) fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Paused => StatusCode::TOO_MANY_REQUESTS,
            Self::NotAllowed
            | Self::ReadOnly
            | Self::AskedOwner
            | Self::AskedSecond
            | Self::Denied(_)
            | Self::Upstream(_) => StatusCode::FORBIDDEN,
            Self::Approval(ApprovalError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Approval(_) => StatusCode::FORBIDDEN,
            Self::Method | Self::OtherMethod | Self::ToolMethod(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoTool | Self::ToolServer => StatusCode::NOT_FOUND,
            Self::ToolChanged | Self::Ended(_) => StatusCode::FORBIDDEN,
            Self::TooLarge | Self::TooLargeToRead => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Path | Self::OtherPath | Self::AbsoluteUrl | Self::Name | Self::ContentType | Self::Arguments => {
                StatusCode::BAD_REQUEST
            }
            Self::AnswerBroke | Self::NotTools(_) | Self::AnswerTooLarge | Self::ToolsTooMuch => {
                StatusCode::BAD_GATEWAY
            }
            _ => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_route",
            Self::Newer => "newer",
            Self::TooMany => "too_many_routes",
            Self::NotAllowed => "not_allowed",
            Self::Secret(SecretError::Vault(error)) => error.code(),
            Self::Secret(SecretError::Unknown) => "unknown_secret",
            Self::Upstream(error) => error.code,
            Self::ReadOnly | Self::Method | Self::OtherMethod | Self::ToolMethod(_) => "method_refused",
            Self::ToolServer => "tool_server",
            Self::NoTool => "unknown_tool",
            Self::ToolChanged => "tool_changed",
            Self::Changed => "route_changed",
            Self::Ended(_) => "share_ended",
            Self::Arguments => "arguments_invalid",
            Self::NotTools(_) => "not_tools",
            Self::AnswerTooLarge | Self::ToolsTooMuch => "answer_too_large",
            Self::AbsoluteUrl | Self::Path | Self::OtherPath => "path_refused",
            Self::TooLarge | Self::TooLargeToRead => "too_large",
            Self::AnswerBroke => "unreachable",
            Self::Paused => "paused",
            Self::AskedOwner | Self::AskedSecond => "approval_needed",
            Self::Denied(_) => "approval_denied",
            Self::Approval(error) => error.code(),
            _ => "route_invalid",
        }
    }
}

impl From<RouteError> for ChannelError {
    fn from(error: RouteError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
