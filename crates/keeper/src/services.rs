//! The parts of a keeper that stand on the vault alone, made and joined: what needs neither a home nor an agent.

use std::sync::Arc;

use crate::activity::{Activity, Deed, What};
use crate::approvals::Approvals;
use crate::broker::{Broker, BrokerParts, Routes};
use crate::channel::Router;
use crate::chat::Functions;
use crate::clock::Clock;
use crate::contacts::Contacts;
use crate::egress::{EgressProxy, EgressSettings, NamedAddresses};
use crate::guide::Guide;
use crate::mcp::Tools;
use crate::post::Post;
use crate::rates::Rates;
use crate::recovery::Recovery;
use crate::relay::Relay;
use crate::secrets::Secrets;
use crate::shares::{Shares, SharesParts};
use crate::spending::{ProviderMethods, Spending};
use crate::template::Templates;
use crate::unlock_link::UnlockLink;
use crate::vault_service::VaultService;
use crate::write_behind::WriteBehind;

/// What the agent reaches, what the client may call, and what is written before the vault locks.
pub struct Services {
    pub write_behind: WriteBehind,
    pub broker: Broker,
    pub egress: EgressProxy,
    pub router: Router,
    /// What was done in the vault.
    pub activity: Activity,
    /// What the agent asks its owner for.
    pub approvals: Approvals,
    /// How often services are called.
    pub rates: Rates,
    /// What the owner shares with others, and others with them.
    pub shares: Shares,
    /// What the agent gives its owner to open the vault.
    pub unlock: UnlockLink,
    /// What the agent is told of all this.
    pub guide: Guide,
    /// What the agent is.
    pub templates: Templates,
    /// What the agent calls of a client's, between its tools and its conversations.
    pub functions: Functions,
}

impl Services {
    /// The parts on `vault`. The broker reaches the private addresses in `named`, the agent's own connections those in
    /// `named_for_agent`. What is shared goes through `relay`.
    pub fn new(
        vault: &VaultService,
        clock: Arc<dyn Clock>,
        named: &NamedAddresses,
        named_for_agent: NamedAddresses,
        relay: Relay,
    ) -> Self {
        let functions = Functions::default();
        let write_behind = WriteBehind::new(vault.clone());
        let activity = Activity::new(vault.clone(), write_behind.clone());
        let secrets = Secrets::new(vault.clone(), activity.clone());
        let approvals = Approvals::new(vault.clone(), activity.clone(), clock.clone());
        let rates = Rates::new(vault.clone(), activity.clone(), write_behind.clone());
        let routes = Routes::new(
            vault.clone(),
            secrets.clone(),
            activity.clone(),
            approvals.clone(),
            rates.clone(),
            named.clone(),
        );
        let unlock = UnlockLink::default();
        let contacts = Contacts::new(vault.clone(), clock.clone());
        approvals.set_people(contacts.clone(), relay.clone());
        let shares = Shares::new(SharesParts {
            vault: vault.clone(),
            contacts: contacts.clone(),
            routes: routes.clone(),
            rates: rates.clone(),
            approvals: approvals.clone(),
            activity: activity.clone(),
            relay,
            clock: clock.clone(),
        });
        let tools = Tools {
            vault: vault.clone(),
            routes: routes.clone(),
            secrets: secrets.clone(),
            approvals: approvals.clone(),
            rates: rates.clone(),
            activity: activity.clone(),
            contacts: contacts.clone(),
            shares: shares.clone(),
            clock: clock.clone(),
            unlock: unlock.clone(),
            functions: functions.clone(),
        };
        let spending = Spending::new(vault.clone(), activity.clone(), write_behind.clone());
        let broker = Broker::new(BrokerParts {
            source: Arc::new(vault.clone()),
            named: named.clone(),
            routes: Some(routes.clone()),
            tools: Some(tools.server()),
            spending: Some(spending.clone()),
            unlock: unlock.clone(),
        });
        let egress_settings = EgressSettings::new(vault.clone(), activity.clone());
        let noting = activity.clone();
        let refused = move |to: &str, why: String| {
            // A refusal that cannot be noted is a refusal all the same.
            let _locked = noting.note(Deed::new(What::EgressRefused, to).because(why));
        };
        let egress = EgressProxy::new(
            vault.watch(),
            named_for_agent,
            egress_settings.watch(),
            unlock.clone(),
            refused,
        );
        let recovery = Recovery::new(vault.clone(), contacts.clone(), clock);
        let post = Post::new(vault.clone(), contacts.clone(), recovery.clone());
        let templates = Templates::new(vault.clone());
        let guide = Guide::new(routes.clone(), secrets.clone()).with_shares(shares.clone());
        let contacts = Arc::new(contacts);
        let router = Router::new()
            .namespace("activity", Arc::new(activity.clone()))
            .namespace("approval", Arc::new(approvals.clone()))
            .namespace("rate", Arc::new(rates.clone()))
            .namespace("share", Arc::new(shares.clone()))
            .namespace("route", Arc::new(routes))
            .namespace("egress", Arc::new(egress_settings))
            .namespace("template", Arc::new(templates.clone()))
            .namespace("spending", Arc::new(spending.clone()))
            .secret_namespace("provider", Arc::new(ProviderMethods::new(vault.clone(), spending)))
            .secret_namespace("secret", Arc::new(secrets))
            .namespace("post", Arc::new(post))
            .secret_namespace("recovery", Arc::new(recovery.clone()))
            .slot_end(Arc::new(recovery))
            .namespace("identity", contacts.clone())
            .namespace("contact", contacts);
        Self {
            write_behind,
            broker,
            egress,
            router,
            activity,
            approvals,
            rates,
            shares,
            unlock,
            guide,
            templates,
            functions,
        }
    }
}
