//! A sign-in provider as they are on the web: OpenID Connect with discovery, published keys and signed tokens, and, beside it, OAuth as
//! GitHub has it. It listens on this machine, checks what it is sent, and can be bent to answer wrongly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use protocol::b64;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::{TestClock, World};

pub const CLIENT_ID: &str = "holdfast";
pub const CLIENT_SECRET: &str = "the-secret-of-the-tests";

/// What is wrong with what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bend {
    Nonce,
    NoNonce,
    Audience,
    ManyAudiences,
    OtherParty,
    Issuer,
    Expired,
    Future,
    Unsigned,
    PublicKeyAsSecret,
    OtherKey,
    /// Somebody is to show themselves there only later.
    ShownLater,
    UnknownKey,
    ChangedAfterSigning,
    NoSubject,
    NoToken,
    Endless,
    Elsewhere,
    /// It publishes what another one is.
    OtherIssuer,
}

/// Who is signed in there.
#[derive(Debug, Clone)]
pub struct Somebody {
    pub subject: String,
    pub email: String,
    pub verified: bool,
    pub name: String,
}

pub fn somebody(subject: &str, email: &str) -> Somebody {
    Somebody {
        subject: subject.into(),
        email: email.into(),
        verified: true,
        name: "Some Body".into(),
    }
}

struct Grant {
    /// They were asked who they are.
    anew: bool,
    nonce: Option<String>,
    challenge: String,
    way_back: String,
    somebody: Somebody,
}

struct Inside {
    issuer: String,
    somebody: Somebody,
    grants: HashMap<String, Grant>,
    tokens: HashMap<String, Somebody>,
    bend: Option<Bend>,
    /// Where its keys are said to be, instead of here.
    keys_at: Option<String>,
    asked: usize,
    /// How long ago whoever is signed in showed who they are, where that is told.
    shown_ago: Option<Duration>,
}

/// A provider that is running; it ends with the test.
#[derive(Clone)]
pub struct Provider {
    inside: Arc<Mutex<Inside>>,
    keys: Arc<Keys>,
    clock: Arc<OnceLock<Arc<TestClock>>>,
    router: Router,
    pub issuer: String,
    pub address: String,
}

struct Keys {
    rsa: Option<RsaKeyPair>,
    point: EcdsaKeyPair,
    other: EcdsaKeyPair,
}

fn point() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap()
}

impl Keys {
    fn jwk(&self) -> Value {
        match &self.rsa {
            Some(rsa) => {
                let parts: ring::rsa::PublicKeyComponents<Vec<u8>> = rsa.public().into();
                json!({"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": b64::encode(parts.n), "e": b64::encode(parts.e)})
            }
            None => {
                let bytes = self.point.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": "1", "use": "sig", "x": b64::encode(&bytes[1..33]), "y": b64::encode(&bytes[33..])})
            }
        }
    }

    fn sign(&self, text: &str, other: bool) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.rsa {
            Some(rsa) if !other => {
                let mut signature = vec![0; rsa.public().modulus_len()];
                rsa.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            _ => {
                let key = if other { &self.other } else { &self.point };
                key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec()
            }
        }
    }
}

impl Provider {
    /// Signs with elliptic curves.
    pub async fn start() -> Self {
        Self::with_keys(None).await
    }

    /// Signs as most providers do.
    pub async fn with_rsa() -> Self {
        let key = include_bytes!("../../fixtures/provider-rs256.pk8");
        Self::with_keys(Some(RsaKeyPair::from_pkcs8(key).unwrap())).await
    }

    async fn with_keys(rsa: Option<RsaKeyPair>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let issuer = format!("http://{address}");
        let inside = Inside {
            issuer: issuer.clone(),
            somebody: somebody("1", "some.body@idp.example"),
            grants: HashMap::new(),
            tokens: HashMap::new(),
            bend: None,
            keys_at: None,
            asked: 0,
            shown_ago: None,
        };
        let mut provider = Self {
            inside: Arc::new(Mutex::new(inside)),
            keys: Arc::new(Keys {
                rsa,
                point: point(),
                other: point(),
            }),
            clock: Arc::default(),
            router: Router::new(),
            issuer,
            address,
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/elsewhere", get(elsewhere))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(token))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .with_state(provider.clone());
        provider.router = router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// Goes by the same clock.
    pub fn keep_time(&self, world: &World) {
        let _again = self.clock.set(world.clock.clone());
    }

    pub fn signed_in(&self, somebody: Somebody) {
        self.inside.lock().unwrap().somebody = somebody;
    }

    pub fn bend(&self, bend: impl Into<Option<Bend>>) {
        self.inside.lock().unwrap().bend = bend.into();
    }

    /// From now on it says when somebody showed who they are.
    pub fn shown_ago(&self, ago: impl Into<Option<Duration>>) {
        self.inside.lock().unwrap().shown_ago = ago.into();
    }

    pub fn keys_at(&self, url: &str) {
        self.inside.lock().unwrap().keys_at = Some(url.to_owned());
    }

    /// How often it was asked for a token.
    pub fn asked(&self) -> usize {
        self.inside.lock().unwrap().asked
    }

    /// A browser goes where it was sent and agrees: where it is sent back to, as a path of the API.
    pub async fn visit(&self, url: &str) -> String {
        let path = url.strip_prefix(&self.issuer).expect("the browser is sent here");
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let back = response.headers()[header::LOCATION].to_str().unwrap();
        back.strip_prefix("http://localhost:8080/api/v1")
            .expect("the way back is ours")
            .to_owned()
    }
}

fn reply(inside: &Inside, answer: Value) -> Response {
    match inside.bend {
        // Right but for its length, and right where it leads to: only what is to be refused is wrong.
        Some(Bend::Endless) => {
            (answer.to_string() + &" ".repeat(management::limits::PROVIDER_ANSWER_BYTES)).into_response()
        }
        Some(Bend::Elsewhere) => Redirect::to("/elsewhere").into_response(),
        _ => Json(answer).into_response(),
    }
}

async fn discovery(State(provider): State<Provider>) -> Response {
    let inside = provider.inside.lock().unwrap();
    let at = |path: &str| format!("{}{path}", inside.issuer);
    Json(json!({
        "issuer": if inside.bend == Some(Bend::OtherIssuer) { "https://another.example" } else { &inside.issuer },
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": inside.keys_at.clone().unwrap_or_else(|| at("/keys")),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
    .into_response()
}

async fn keys(State(provider): State<Provider>) -> Response {
    let inside = provider.inside.lock().unwrap();
    reply(&inside, json!({"keys": [provider.keys.jwk()]}))
}

async fn elsewhere(State(provider): State<Provider>) -> Response {
    Json(json!({"keys": [provider.keys.jwk()]})).into_response()
}

async fn authorize(State(provider): State<Provider>, Query(asked): Query<HashMap<String, String>>) -> Response {
    assert_eq!(asked["client_id"], CLIENT_ID);
    assert_eq!(asked["response_type"], "code");
    assert_eq!(asked["code_challenge_method"], "S256");
    let mut inside = provider.inside.lock().unwrap();
    let code = format!("code-{}", inside.grants.len());
    let grant = Grant {
        anew: asked.get("max_age").is_some_and(|age| age == "0"),
        nonce: asked.get("nonce").cloned(),
        challenge: asked["code_challenge"].clone(),
        way_back: asked["redirect_uri"].clone(),
        somebody: inside.somebody.clone(),
    };
    inside.grants.insert(code.clone(), grant);
    Redirect::to(&format!(
        "{}?code={code}&state={}",
        asked["redirect_uri"], asked["state"]
    ))
    .into_response()
}

fn no(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

async fn token(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Response {
    let mut inside = provider.inside.lock().unwrap();
    inside.asked += 1;
    let github = sent.contains_key("client_secret");
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    let known = match github {
        true => sent["client_id"] == CLIENT_ID && sent["client_secret"] == CLIENT_SECRET,
        false => headers.get(header::AUTHORIZATION).is_some_and(|value| *value == *basic),
    };
    // GitHub says no with a success.
    let refused = if github {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    if !known {
        return no(
            refused,
            if github {
                "incorrect_client_credentials"
            } else {
                "invalid_client"
            },
        );
    }
    let grant = inside.grants.remove(&sent["code"]);
    let proved = |grant: &Grant| {
        let verifier = sent.get("code_verifier").map_or("", String::as_str);
        b64::encode(Sha256::digest(verifier)) == grant.challenge && grant.way_back == sent["redirect_uri"]
    };
    let Some(grant) = grant.filter(proved) else {
        return no(
            refused,
            if github {
                "bad_verification_code"
            } else {
                "invalid_grant"
            },
        );
    };
    let access = format!("access-{}", inside.asked);
    inside.tokens.insert(access.clone(), grant.somebody.clone());
    let mut answer = json!({"access_token": access, "token_type": "bearer", "scope": ""});
    if !github && inside.bend != Some(Bend::NoToken) {
        answer["id_token"] = json!(id_token(&provider, &inside, &grant));
    }
    Json(answer).into_response()
}

fn id_token(provider: &Provider, inside: &Inside, grant: &Grant) -> String {
    let now = provider.clock.get().expect("the provider has a clock").seconds();
    let Somebody {
        subject,
        email,
        verified,
        name,
    } = grant.somebody.clone();
    let mut claims = json!({
        "iss": inside.issuer, "aud": CLIENT_ID, "sub": subject, "iat": now, "exp": now + 300, "nonce": grant.nonce,
        "email": email, "email_verified": verified, "name": name,
    });
    let ago = if grant.anew {
        Some(Duration::ZERO)
    } else {
        inside.shown_ago
    };
    if let Some(ago) = ago {
        claims["auth_time"] = json!(now - i64::try_from(ago.as_secs()).unwrap());
    }
    let mut head =
        json!({"typ": "JWT", "alg": if provider.keys.rsa.is_some() { "RS256" } else { "ES256" }, "kid": "1"});
    match inside.bend {
        Some(Bend::Nonce) => claims["nonce"] = json!("another"),
        Some(Bend::NoNonce) => claims["nonce"] = json!(""),
        Some(Bend::Audience) => claims["aud"] = json!("another"),
        Some(Bend::ManyAudiences) => claims["aud"] = json!([CLIENT_ID, "another"]),
        Some(Bend::OtherParty) => claims["azp"] = json!("another"),
        Some(Bend::Issuer) => claims["iss"] = json!("https://another.example"),
        Some(Bend::Expired) => claims["exp"] = json!(now - 61),
        Some(Bend::Future) => claims["iat"] = json!(now + 120),
        Some(Bend::ShownLater) => claims["auth_time"] = json!(now + 120),
        Some(Bend::NoSubject) => claims["sub"] = json!(""),
        Some(Bend::Unsigned) => head["alg"] = json!("none"),
        Some(Bend::PublicKeyAsSecret) => head["alg"] = json!("HS256"),
        Some(Bend::UnknownKey) => head["kid"] = json!("2"),
        _ => {}
    }
    let part = |value: &Value| b64::encode(value.to_string());
    let text = format!("{}.{}", part(&head), part(&claims));
    let signature = match inside.bend {
        Some(Bend::Unsigned) => Vec::new(),
        Some(Bend::PublicKeyAsSecret) => {
            // As the confusion of algorithms would have it: what everybody knows, as the secret.
            let public = match &provider.keys.rsa {
                Some(rsa) => rsa.public_key().as_ref().to_vec(),
                None => provider.keys.point.public_key().as_ref().to_vec(),
            };
            let mut mac = <Hmac<Sha256> as hmac::Mac>::new_from_slice(&public).unwrap();
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        }
        bend => provider.keys.sign(&text, bend == Some(Bend::OtherKey)),
    };
    if inside.bend == Some(Bend::ChangedAfterSigning) {
        claims["sub"] = json!("somebody-else");
        return format!("{}.{}.{}", part(&head), part(&claims), b64::encode(signature));
    }
    format!("{text}.{}", b64::encode(signature))
}

fn bearer(inside: &Inside, headers: &HeaderMap) -> Option<Somebody> {
    let token = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")?;
    inside.tokens.get(token).cloned()
}

async fn user(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let inside = provider.inside.lock().unwrap();
    assert!(
        headers.contains_key(header::USER_AGENT),
        "GitHub wants to know who asks"
    );
    match bearer(&inside, &headers) {
        Some(somebody) => {
            let id: u64 = somebody.subject.parse().unwrap();
            reply(&inside, json!({"id": id, "login": "octocat", "name": somebody.name}))
        }
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn emails(State(provider): State<Provider>, headers: HeaderMap) -> Response {
    let inside = provider.inside.lock().unwrap();
    match bearer(&inside, &headers) {
        Some(somebody) => Json(json!([
            {"email": "old@elsewhere.example", "primary": false, "verified": true},
            {"email": somebody.email, "primary": true, "verified": somebody.verified},
        ]))
        .into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    }
}
