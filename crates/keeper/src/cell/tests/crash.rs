use protocol::chat::CellPhase;
use protocol::control::{AgentState, KeeperOp};

use super::bench::Bench;
use crate::limits;

#[tokio::test]
async fn promise_05_an_agent_that_ends_by_itself_is_started_again_in_the_home_that_is_there() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    bench.agent.write("unsealed", "still there");
    let mut events = keeper.cell.events();
    bench.agent.set(AgentState::Failed);
    while events.recv().await.unwrap().phase != CellPhase::Ready {}
    assert_eq!(bench.platform.ops(), [KeeperOp::RestartAgent]);
    assert_eq!(bench.agent.read("unsealed").as_deref(), Some("still there"));
}

#[tokio::test]
async fn an_agent_that_keeps_ending_is_left_alone_and_its_owner_is_told_why() {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    let mut events = keeper.cell.events();
    for _ in 0..limits::AGENT_CRASHES {
        bench.agent.set(AgentState::Failed);
        while events.recv().await.unwrap().phase != CellPhase::Ready {}
    }
    bench.agent.set(AgentState::Failed);
    let failed = loop {
        let event = events.recv().await.unwrap();
        if event.phase == CellPhase::Failed {
            break event;
        }
    };
    assert!(failed.message.unwrap().contains("out of memory"));
}
