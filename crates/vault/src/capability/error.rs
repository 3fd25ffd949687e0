use uuid::Uuid;

/// What a link of a chain may not have more of than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wider {
    Resource,
    Scope,
    Time,
    Calls,
    Rate,
}

impl Wider {
    fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Scope => "scope",
            Self::Time => "time",
            Self::Calls => "number of calls",
            Self::Rate => "rate",
        }
    }
}

/// Why a capability, a chain of them or the presentation of one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    #[error("this is longer than {0} bytes")]
    TooLarge(usize),
    #[error("this is no capability of a form that is known here")]
    Malformed,
    #[error("this is not written in the canonical form of RFC 8785")]
    NotCanonical,
    #[error("version {0} is not known here")]
    UnknownVersion(u8),
    #[error("there is no capability in the chain")]
    EmptyChain,
    #[error("a chain has at most {0} links (CAPABILITY_LINKS)")]
    TooManyLinks(usize),
    #[error("the first capability was not issued by this keeper")]
    NotIssuedHere,
    #[error("this is meant for another keeper")]
    WrongAudience,
    #[error("the signature of capability {0} is wrong: it was changed, or signed by somebody else")]
    BadSignature(Uuid),
    #[error("what was shared is not to be used yet: one of the two clocks may be wrong")]
    NotYet(Uuid),
    #[error("the time for which this was shared is over")]
    Expired(Uuid),
    #[error("this is not shared any more: it was taken back")]
    Revoked(Uuid),
    #[error("capability {0} lasts longer than is allowed, or ends before it begins")]
    BadTimes(Uuid),
    #[error("a number in capability {0} is zero or too large")]
    BadNumber(Uuid),
    #[error("capability {0} allows nothing")]
    NoScope(Uuid),
    #[error(
        "capability {0} lets a copy be made of what cannot have one: it would have to be for reading alone, uncounted, not passed on, and the copy of one GET of at most {1} bytes that it allows (CACHED_REQUEST_BYTES)"
    )]
    BadCopy(Uuid, usize),
    #[error("capability {0} comes twice in the chain")]
    Twice(Uuid),
    #[error("capability {0} was not passed on by the one who held it")]
    NotTheHolder(Uuid),
    #[error("capability {0} does not name the one that it was made from")]
    WrongProof(Uuid),
    #[error("what was shared may not be passed on")]
    MayNotShare(Uuid),
    #[error("what is passed on may be no more than what was shared, and is: its {} is wider", what.name())]
    Wider { id: Uuid, what: Wider },
    #[error("who manages something lets others do no more than they may themself, and not manage it: the {} is wider", .0.name())]
    MoreThanOwn(Wider),
    #[error("this was not shared with whoever asks for it")]
    NotHeld,
    #[error("this was presented too long ago, or by a clock that is wrong")]
    Stale,
    #[error("the path of the request is not one that is allowed in a shared request")]
    Path,
    #[error("the request is for something else than what was shared")]
    OtherResource,
    #[error("what was shared does not allow this: it would have to allow to {0}")]
    NotAllowed(&'static str),
    #[error("this method cannot be used at what is shared")]
    Method,
    #[error(
        "a parameter or a field of it has some services take a request for one of another method, or it cannot be read: say it by the method"
    )]
    OtherMethod,
    #[error(
        "a parameter or a field of it has some services take a request for one of another path, and one path is shared"
    )]
    OtherPath,
}

impl CapabilityError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Malformed => "malformed",
            Self::NotCanonical => "not_canonical",
            Self::UnknownVersion(_) => "version",
            Self::EmptyChain | Self::TooManyLinks(_) => "chain",
            Self::NotIssuedHere => "not_issued_here",
            Self::WrongAudience => "wrong_audience",
            Self::BadSignature(_) => "bad_signature",
            Self::NotYet(_) => "not_yet",
            Self::Expired(_) => "expired",
            Self::Revoked(_) => "revoked",
            Self::BadTimes(_) | Self::BadNumber(_) | Self::NoScope(_) | Self::BadCopy(..) => "bad_terms",
            Self::Twice(_) | Self::NotTheHolder(_) | Self::WrongProof(_) => "broken_chain",
            Self::MayNotShare(_) => "may_not_share",
            Self::Wider { .. } | Self::MoreThanOwn(_) => "wider",
            Self::NotHeld => "not_held",
            Self::Stale => "stale",
            Self::Path | Self::OtherPath => "path_refused",
            Self::OtherResource => "other_resource",
            Self::NotAllowed(_) => "scope",
            Self::Method | Self::OtherMethod => "method_refused",
        }
    }
}
