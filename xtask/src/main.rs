//! Developer commands. Each step names itself and its time, can be interrupted anywhere, and goes on at the next run.

mod bench;
mod browser;
mod build;
mod docker;
mod down;
mod dpkg;
mod figures;
mod fuzz;
mod image;
mod machine;
mod node;
mod openapi;
mod packages;
mod paths;
mod process;
mod pypi;
mod room;
mod running;
mod settings;
mod sqlx;
mod steps;
mod suites;
mod test;
mod ui;
mod up;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Runs, tests and measures Holdfast",
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, build, and start Holdfast.
    Up(up::Options),
    /// Stop Holdfast and put its cells to sleep. Its data stays.
    Down(down::Options),
    /// Run every check and test, or those whose name contains NAME.
    Test(test::Options),
    /// Measure what people wait for and what a cell costs.
    Bench(bench::Options),
    /// Give bent input to the parsers, all of them or the one called NAME.
    Fuzz(fuzz::Options),
    /// Assemble the images of the cells around a built keeper binary.
    Image {
        /// Take the binary of the debug profile.
        #[arg(long)]
        debug: bool,
    },
    /// Write the OpenAPI document of the API anew, from its routes and their types (docs/openapi.json).
    Openapi,
    /// Check the SQL of the management crate against its migrations and renew crates/management/.sqlx.
    Sqlx,
    /// Build the user interface into ui/dist.
    Ui {
        /// Install missing packages of the machine without asking.
        #[arg(long)]
        yes: bool,
    },
}

fn images(debug: bool) -> anyhow::Result<()> {
    let images = image::ensure(build::Profile::of(debug))?;
    println!("{}\n{}", images.agent, images.keeper);
    Ok(())
}

fn main() {
    let result = match Cli::parse().command {
        Command::Up(options) => up::run(&options),
        Command::Down(options) => down::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Image { debug } => images(debug),
        Command::Openapi => openapi::run(),
        Command::Sqlx => sqlx::run(),
        Command::Ui { yes } => packages::ensure(packages::UI, yes).and_then(|()| ui::build()),
    };
    if let Err(error) = result {
        eprintln!("\n{error:#}");
        std::process::exit(1);
    }
}
