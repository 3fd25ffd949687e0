//! The client on the command line, for people and scripts: `holdfast login`, `unlock`, `chat` and the rest. It speaks the protocol that the
//! browser speaks (`docs/protocol.md`) and is installed once, instead of served each time by the platform that it protects against.
//!
//! What is promised here: passwords, phrases, keys, links and values are read from the terminal or from standard input, never from an
//! argument or the environment; none of them is kept; what an agent says cannot steer the terminal; a keeper that is not the known one
//! is refused before anything secret is sent to it.

mod agent;
mod ask;
mod backup;
mod chat;
mod failure;
mod interface;
mod lock;
mod login;
mod logout;
mod open;
mod out;
mod restore;
mod secrets;
mod server;
mod sessions;
mod state;
mod status;
mod unlock;
mod way;

use std::process::ExitCode;

use self::ask::Ask;
use self::failure::Failure;
use self::out::Out;
use self::state::State;

/// The commands of the client.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Sign in to a Holdfast with a link that it mails to you.
    Login(login::Args),
    /// Sign out.
    Logout(logout::Args),
    /// Say who is signed in, how the cell is, and which ways into the vault there are.
    Status(status::Args),
    /// Open the vault and start the agent.
    Unlock(unlock::Args),
    /// Lock the vault and put the cell to sleep.
    Lock(lock::Args),
    /// Talk to your agent.
    Chat(chat::Args),
    /// List, show, rename and delete conversations.
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// List, set and delete the secrets of the vault.
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Write an encrypted backup of vault and agent to a file.
    Backup(backup::Args),
    /// Check a backup, and put it in the place of vault and agent.
    Restore(restore::Args),
    /// Say what the interface is made of, and check that a Holdfast serves nothing else.
    #[command(subcommand)]
    Interface(interface::Command),
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// Tell the outcome as one JSON value on standard output, and an error as one on standard error.
    #[arg(long)]
    json: bool,
    /// Read passwords, phrases, keys, links, codes and values from standard input, a line for each in the order in which they are asked for.
    /// Without it they are typed on the terminal. There is no way to give them as arguments.
    #[arg(long)]
    stdin: bool,
}

/// What a command needs of its surroundings.
struct Context {
    out: Out,
    ask: Ask,
    state: State,
}

impl Command {
    fn common(&self) -> &Common {
        match self {
            Self::Login(args) => &args.common,
            Self::Logout(args) => &args.common,
            Self::Status(args) => &args.common,
            Self::Unlock(args) => &args.opening.common,
            Self::Lock(args) => &args.opening.common,
            Self::Chat(args) => &args.opening.common,
            Self::Sessions(command) => &command.opening().common,
            Self::Secrets(command) => &command.opening().common,
            Self::Backup(args) => &args.opening.common,
            Self::Restore(args) => &args.opening.common,
            Self::Interface(command) => command.common(),
        }
    }

    async fn carry_out(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Login(args) => login::run(context, args).await,
            Self::Logout(args) => logout::run(context, args).await,
            Self::Status(args) => status::run(context, args).await,
            Self::Unlock(args) => unlock::run(context, args).await,
            Self::Lock(args) => lock::run(context, args).await,
            Self::Chat(args) => chat::run(context, args).await,
            Self::Sessions(command) => sessions::run(context, command).await,
            Self::Secrets(command) => secrets::run(context, command).await,
            Self::Backup(args) => backup::run(context, args).await,
            Self::Restore(args) => restore::run(context, args).await,
            Self::Interface(command) => interface::run(context, command).await,
        }
    }
}

/// Carries out a command and tells what came of it.
pub async fn run(command: Command) -> ExitCode {
    let common = command.common().clone();
    let out = Out::new(common.json);
    let done = async {
        let context = Context {
            out,
            ask: Ask::new(common.stdin)?,
            state: State::find()?,
        };
        command.carry_out(&context).await
    };
    match done.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            out.failed(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;

    /// Every option and argument there is, with the command that it belongs to.
    fn arguments(command: &clap::Command, path: &str, all: &mut Vec<(String, clap::Arg)>) {
        let path = format!("{path} {}", command.get_name());
        all.extend(command.get_arguments().map(|argument| (path.clone(), argument.clone())));
        for inner in command.get_subcommands() {
            arguments(inner, &path, all);
        }
    }

    #[test]
    fn nothing_secret_can_be_an_argument_or_come_from_the_environment() {
        let mut all = Vec::new();
        arguments(
            &Command::augment_subcommands(clap::Command::new("holdfast")),
            "",
            &mut all,
        );
        assert!(all.len() > 40, "{}", all.len());
        for (command, argument) in &all {
            assert!(argument.get_env().is_none(), "{command}: {}", argument.get_id());
        }
        // Whoever adds an argument says here that it is no secret.
        let harmless = [
            "json",
            "stdin",
            "with",
            "named",
            "server",
            "email",
            "forget_keeper",
            "wake",
            "no_keeper",
            "granted",
            "no_wait",
            "message",
            "session",
            "title",
            "yes",
            "name",
            "kind",
            "agent",
            "username",
            "url",
            "secret",
            "file",
            "force",
            "backup_with",
            "backup_named",
            "check",
            "manifest",
            "key",
        ];
        for (command, argument) in &all {
            let id = argument.get_id().as_str();
            assert!(harmless.contains(&id), "{command}: {id}");
        }
    }

    #[test]
    fn every_command_takes_json_and_stdin() {
        let mut all = Vec::new();
        arguments(
            &Command::augment_subcommands(clap::Command::new("holdfast")),
            "",
            &mut all,
        );
        let having = |id: &str| all.iter().filter(|(_, argument)| argument.get_id() == id).count();
        // Eight of one word, and nine of two.
        assert_eq!((having("json"), having("stdin")), (17, 17));
    }
}
