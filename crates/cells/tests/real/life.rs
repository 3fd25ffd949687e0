//! A cell's whole life on real containers, with a keeper that speaks the protocol from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cells::driver::docker::DockerDriver;
use cells::driver::{Driver as _, Part, PartState};
use cells::{CellState, Cells, CellsConfig, local_blobs};
use protocol::CellId;
use protocol::control::{AgentState, KeeperOp, Outcome, PlatformOp};

use crate::installation::{Installation, config};
use crate::keeper::{Keeper, idle};

async fn start(installation: &Installation, change: impl FnOnce(&mut CellsConfig)) -> Cells {
    let folder = installation.folder.path();
    let driver = DockerDriver::connect(config(installation.id, folder.to_owned()))
        .await
        .unwrap();
    let mut config = CellsConfig::new(installation.id, folder.to_owned());
    change(&mut config);
    Cells::start(config, Arc::new(driver), local_blobs(&folder.join("blobs")).unwrap())
        .await
        .unwrap()
}

fn socket(installation: &Installation, cell: CellId) -> std::path::PathBuf {
    installation.folder.path().join(format!("run/{cell}/platform.sock"))
}

async fn wake(installation: &Installation, cells: &Cells, cell: CellId) -> Keeper {
    let path = socket(installation, cell);
    let (woken, keeper) = tokio::join!(cells.wake(cell, installation.tenant), Keeper::attach(&path));
    woken.unwrap();
    keeper
}

async fn until(cells: &Cells, cell: CellId, state: CellState) {
    for _ in 0..3000 {
        if cells.state(cell) == state {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?} instead of {state:?}", cells.state(cell));
}

#[tokio::test]
async fn promise_06_a_cell_goes_down_the_ladder_and_up_again_on_real_containers() {
    let installation = Installation::new().await;
    let cells = start(&installation, |config| {
        config.pause_after = Duration::from_millis(500);
        config.sleep_after = Duration::from_secs(20);
    })
    .await;
    let cell = CellId::new();
    let parts = async || {
        let view = installation.driver.inspect(cell).await.unwrap();
        view.map(|view| (view.keeper, view.agent))
    };
    let mut keeper = wake(&installation, &cells, cell).await;
    assert_eq!(cells.claim(cell).as_deref(), Some("the-claim"));
    let seen = installation.inside(cell, Part::Keeper, "ls /run/platform").unwrap();
    assert_eq!(seen, "platform.sock");

    keeper.obey(PlatformOp::Pause).await;
    until(&cells, cell, CellState::Paused).await;
    assert_eq!(parts().await, Some((PartState::Running, PartState::Paused)));

    let asked = Instant::now();
    cells.wake(cell, installation.tenant).await.unwrap();
    let took = asked.elapsed();
    assert_eq!(parts().await, Some((PartState::Running, PartState::Running)));
    println!("wake from pause: {} ms", took.as_millis());
    assert!(took < Duration::from_secs(2), "{took:?}");
    keeper.obey(PlatformOp::Resumed).await;
    keeper.obey(PlatformOp::Pause).await;

    assert_eq!(keeper.ask(KeeperOp::Sleep).await, Outcome::Ok);
    until(&cells, cell, CellState::Asleep).await;
    assert_eq!(parts().await, None);
    assert!(!socket(&installation, cell).exists());
    wake(&installation, &cells, cell).await;

    cells.remove(cell, installation.tenant).await.unwrap();
    assert_eq!(parts().await, None);
    assert!(!installation.folder.path().join(format!("run/{cell}")).exists());
}

#[tokio::test]
async fn promise_06_a_restarted_platform_finds_running_and_paused_cells_again() {
    let installation = Installation::new().await;
    let cells = start(&installation, |config| config.pause_after = Duration::from_secs(2)).await;
    let (running, paused, dead) = (CellId::new(), CellId::new(), CellId::new());
    let mut keeper = wake(&installation, &cells, paused).await;
    keeper.obey(PlatformOp::Pause).await;
    until(&cells, paused, CellState::Paused).await;
    wake(&installation, &cells, running).await;
    wake(&installation, &cells, dead).await;
    // As a platform that is killed leaves them.
    cells.shutdown().await;
    drop(cells);
    let name = installation.container(dead, Part::Keeper);
    crate::installation::docker(&["kill", &name]);

    let cells = start(&installation, |_| {}).await;
    assert_eq!(installation.driver.inspect(dead).await.unwrap(), None);
    let mut status = idle();
    status.agent = AgentState::Suspended;
    let _first = Keeper::attach(&socket(&installation, running)).await;
    let _second = Keeper::attach_as(&socket(&installation, paused), status).await;
    until(&cells, running, CellState::Awake).await;
    until(&cells, paused, CellState::Paused).await;
    let view = installation.driver.inspect(paused).await.unwrap().unwrap();
    assert_eq!(view.agent, PartState::Paused);
    // The running keeper sees the new socket in the folder that was mounted before.
    let seen = installation.inside(running, Part::Keeper, "ls /run/platform").unwrap();
    assert_eq!(seen, "platform.sock");
}

#[tokio::test]
async fn promise_05_a_killed_keeper_takes_its_cell_along_and_the_next_wake_works() {
    let installation = Installation::new().await;
    let cells = start(&installation, |_| {}).await;
    let cell = CellId::new();
    let keeper = wake(&installation, &cells, cell).await;
    let name = installation.container(cell, Part::Keeper);
    crate::installation::docker(&["kill", &name]);
    drop(keeper);
    until(&cells, cell, CellState::Asleep).await;
    assert_eq!(installation.driver.inspect(cell).await.unwrap(), None);
    wake(&installation, &cells, cell).await;
}

#[tokio::test]
async fn a_snapshot_freeze_takes_milliseconds() {
    let installation = Installation::new().await;
    let cells = start(&installation, |_| {}).await;
    let cell = CellId::new();
    let mut keeper = wake(&installation, &cells, cell).await;
    let mut took = Vec::new();
    for _ in 0..10 {
        let begin = Instant::now();
        assert_eq!(keeper.ask(KeeperOp::Freeze).await, Outcome::Ok);
        let frozen = begin.elapsed();
        assert_eq!(keeper.ask(KeeperOp::Thaw).await, Outcome::Ok);
        took.push((frozen, begin.elapsed() - frozen));
    }
    println!("freeze, thaw: {took:?}");
}
