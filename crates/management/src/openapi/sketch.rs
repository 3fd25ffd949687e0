//! What the types of a handler say of its operation: what it takes and what it answers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::NoContent;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{Content, ContentBuilder, RefOr, Required, Response, ResponseBuilder, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::access::{
    AnySession, Body, Client, Contributor, Enroller, Fresh, FreshManager, FreshOwner, HalfSignedIn, Id, InQuery,
    Manager, NewlySignedIn, SignedIn,
};
use crate::answer::{Accepted, Created, WithCookies};
use crate::app::App;
use crate::operator::{FreshOperator, Operator};
use crate::problem::ApiError;

/// One operation, as far as its handler's types tell.
#[derive(Default)]
pub(crate) struct Sketch {
    /// The handler's path in the source, such as `management::handlers::me::get`.
    pub handler: &'static str,
    /// What a placeholder in the path is; text where no type says more.
    pub placeholder: Option<RefOr<Schema>>,
    /// What it takes beside its path and its body: of the query, and of the headers.
    pub parameters: Vec<Parameter>,
    pub body: Option<RefOr<Schema>>,
    pub answers: BTreeMap<u16, Response>,
    /// The named types that the others use.
    pub schemas: Vec<(String, RefOr<Schema>)>,
}

impl Sketch {
    /// An answer with a JSON body.
    pub(crate) fn answers_json<T: ToSchema>(&mut self, status: u16, description: &str) {
        T::schemas(&mut self.schemas);
        self.answers_with(status, description, "application/json", Content::new(Some(T::schema())));
    }

    /// An answer that is a text of another kind.
    pub(crate) fn answers_text(&mut self, description: &str, media_type: &str) {
        let content = ContentBuilder::new().schema(Some(String::schema())).build();
        self.answers_with(200, description, media_type, content);
    }

    fn answers_with(&mut self, status: u16, description: &str, media_type: &str, content: Content) {
        let response = ResponseBuilder::new()
            .description(description)
            .content(media_type, content);
        self.answers.insert(status, response.build());
    }

    /// What was just said of an answer may also come as events, each with one of these as JSON.
    pub(crate) fn or_events<T: ToSchema>(&mut self, status: u16) {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        if let Some(answer) = self.answers.get_mut(&status) {
            // Before OpenAPI 3.2 the schema of such a stream is that of each event.
            let json = ObjectBuilder::new()
                .schema_type(Type::String)
                .content_media_type("application/json");
            let event = ObjectBuilder::new()
                .property("id", String::schema())
                .property("event", String::schema())
                .property("data", json)
                .required("data");
            answer
                .content
                .insert("text/event-stream".to_owned(), Content::new(Some(event)));
            answer.description += &format!(
                " As `text/event-stream`, the data of each event is of the type `{}`.",
                T::name()
            );
        }
    }

    /// A header that it reads.
    pub(crate) fn takes_header(&mut self, name: &str, description: &str) {
        let header = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(String::schema()));
        self.parameters.push(header.build());
    }

    /// What stands in the path is an id.
    pub(crate) fn names_an_id(&mut self) {
        let uuid = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Uuid)));
        self.placeholder = Some(uuid.into());
    }

    /// An answer without a body.
    pub(crate) fn answers_empty(&mut self, status: u16, description: &str) {
        self.answers.insert(status, Response::new(description));
    }
}

/// A type that a handler takes or answers with, and what it means for the operation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says nothing of itself in the OpenAPI document",
    note = "a handler answers with `Json<T>`, `Created<T>`, `Accepted`, `NoContent` or `WithCookies<T>`, where `T` derives `utoipa::ToSchema`; \
            it takes a JSON body as `Body<T>`, and anything else by a type for which you implement `InContract` (see crates/management/src/routes.rs)"
)]
pub(crate) trait InContract {
    fn describe(sketch: &mut Sketch);
}

/// These say nothing: the list of routes tells who may call what.
macro_rules! silent {
    ($($type:ty),+ $(,)?) => {
        $(impl $crate::openapi::InContract for $type {
            fn describe(_: &mut $crate::openapi::Sketch) {}
        })+
    };
}
pub(crate) use silent;

silent!(
    State<App>,
    HeaderMap,
    Client,
    AnySession,
    HalfSignedIn,
    SignedIn,
    Enroller,
    Fresh,
    NewlySignedIn,
    Contributor,
    Manager,
    FreshManager,
    FreshOwner,
    Operator,
    FreshOperator,
);

impl<T> InContract for Id<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.names_an_id();
    }
}

impl<T: IntoParams> InContract for InQuery<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.parameters.extend(T::into_params(|| Some(ParameterIn::Query)));
    }
}

impl<T: ToSchema> InContract for Body<T> {
    fn describe(sketch: &mut Sketch) {
        T::schemas(&mut sketch.schemas);
        sketch.body = Some(T::schema());
    }
}

impl<T: ToSchema> InContract for Json<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_json::<T>(200, "Done.");
    }
}

impl<T: ToSchema> InContract for Created<T> {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_json::<T>(201, "Made.");
    }
}

impl InContract for Accepted {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_empty(202, "It will be done.");
    }
}

impl InContract for NoContent {
    fn describe(sketch: &mut Sketch) {
        sketch.answers_empty(204, "Done.");
    }
}

impl<T: InContract> InContract for WithCookies<T> {
    fn describe(sketch: &mut Sketch) {
        T::describe(sketch);
    }
}

impl<T: InContract> InContract for Result<T, ApiError> {
    fn describe(sketch: &mut Sketch) {
        T::describe(sketch);
    }
}

/// The schema of a type that is one of some words, for those whose words come out of a macro, where a derive does not see them.
macro_rules! words {
    ($name:ident: $($word:literal),+) => {
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .enum_values(Some([$($word),+]))
                    .into()
            }
        }
    };
}
pub(crate) use words;

/// A function whose every argument and answer is in the contract.
pub(crate) trait Described<Arguments> {
    fn describe(sketch: &mut Sketch);
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<Function, Answering, $($argument,)*> Described<($($argument,)*)> for Function
        where
            Function: Fn($($argument),*) -> Answering,
            Answering: Future,
            Answering::Output: InContract,
            $($argument: InContract,)*
        {
            fn describe(sketch: &mut Sketch) {
                $($argument::describe(sketch);)*
                Answering::Output::describe(sketch);
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);
described!(A B C D E F);

/// What a handler's types say.
pub(crate) fn sketch<Arguments, Handler: Described<Arguments>>(_: Handler) -> Sketch {
    let mut sketch = Sketch {
        handler: std::any::type_name::<Handler>(),
        ..Sketch::default()
    };
    Handler::describe(&mut sketch);
    sketch
}
