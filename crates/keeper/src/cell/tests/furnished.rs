use std::time::Duration;

use protocol::chat::CellPhase;
use protocol::control::AgentState;
use protocol::template::{AgentTemplate, Skill, ToolsPolicy};

use super::bench::{Bench, Keeper, connect_model};

const PERSONA: &str = ".openclaw/workspace/SOUL.md";
const BEFORE: &str = ".openclaw/workspace/SOUL.before.md";
const SKILL: &str = ".openclaw/workspace/skills/edit/SKILL.md";

fn writer(persona: &str) -> AgentTemplate {
    AgentTemplate {
        name: "writer".to_owned(),
        persona: persona.to_owned(),
        skills: vec![Skill {
            name: "edit".to_owned(),
            document: "---\nname: edit\ndescription: How to edit\n---\n\nRead it aloud.\n".to_owned(),
        }],
        schedule: Vec::new(),
        tools: ToolsPolicy {
            allow: Vec::new(),
            deny: vec!["exec".to_owned()],
        },
    }
}

fn forbidden(bench: &Bench) -> Vec<Vec<String>> {
    std::mem::take(&mut bench.agent.forbidden.lock().unwrap())
}

/// Has the agent, which runs, become what the template says.
async fn becomes(keeper: &Keeper, template: Option<AgentTemplate>) {
    let mut events = keeper.cell.events();
    keeper.templates.set(template).await.unwrap();
    let ready = async { while events.recv().await.unwrap().phase != CellPhase::Ready {} };
    tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap();
}

#[tokio::test]
async fn a_template_is_in_the_home_before_the_first_start_and_what_the_agent_makes_of_it_survives_the_next() {
    let mut bench = Bench::new();
    let keeper = bench.keeper().await;
    bench.unlock(&keeper).await;
    keeper.templates.set(Some(writer("You write."))).await.unwrap();
    connect_model(&keeper, "model-1").await;
    keeper.cell.ready().await.unwrap();
    assert_eq!(bench.agent.asked(), ["furnish", "start", "warm up"]);
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("You write."));
    assert!(bench.agent.read(SKILL).unwrap().contains("Read it aloud."));
    assert_eq!(forbidden(&bench), [["exec"]]);

    // The agent goes on with it, and its turn is sealed.
    let turn = keeper.cell.turn_started();
    bench.agent.write(PERSONA, "I write, and like cats.");
    keeper.cell.turn_finished(turn).await.unwrap();
    keeper.kill().await;
    let keeper = bench.ready().await;
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("I write, and like cats."));
    assert_eq!(forbidden(&bench), [["exec"]], "the policy holds at each start");

    // The same again is nothing new.
    keeper.templates.set(Some(writer("You write."))).await.unwrap();
    let mut events = keeper.cell.events();
    connect_model(&keeper, "model-2").await;
    while events.recv().await.unwrap().phase != CellPhase::Ready {}
    assert_eq!(bench.agent.asked(), ["stop", "start", "warm up"]);
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("I write, and like cats."));
}

#[tokio::test]
async fn another_template_has_the_agent_started_again_and_none_gives_it_back_its_tools() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    assert_eq!(forbidden(&bench), [[""; 0]]);
    becomes(&keeper, Some(writer("You write."))).await;
    assert_eq!(bench.agent.asked(), ["stop", "furnish", "start", "warm up"]);
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("You write."));
    assert_eq!(forbidden(&bench), [["exec"]]);

    bench.agent.write(PERSONA, "I write, and like cats.");
    becomes(&keeper, Some(writer("You edit."))).await;
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("You edit."));
    assert_eq!(bench.agent.read(BEFORE).as_deref(), Some("I write, and like cats."));

    forbidden(&bench);
    becomes(&keeper, None).await;
    assert_eq!((bench.agent.read(PERSONA), bench.agent.read(SKILL)), (None, None));
    assert_eq!(forbidden(&bench), [[""; 0]]);
}

#[tokio::test]
async fn a_home_that_was_not_sealed_since_is_furnished_again() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let turn = keeper.cell.turn_started();
    bench.agent.write("turn", "one");
    keeper.cell.turn_finished(turn).await.unwrap();
    becomes(&keeper, Some(writer("You write."))).await;
    keeper.kill().await;
    bench.agent.set(AgentState::Waiting);
    let _keeper = bench.ready().await;
    assert_eq!(bench.agent.read("turn").as_deref(), Some("one"));
    assert_eq!(bench.agent.read(PERSONA).as_deref(), Some("You write."));
}

#[tokio::test]
async fn a_template_that_cannot_be_used_changes_nothing() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let mut wrong = writer("You write.");
    wrong.skills[0].name = "../../../etc".to_owned();
    let error = keeper.templates.set(Some(wrong)).await.unwrap_err();
    assert_eq!(error.code, "template_invalid");
    assert_eq!(keeper.templates.furnishing().unwrap(), None);
    assert_eq!(bench.agent.asked(), [""; 0]);
}
