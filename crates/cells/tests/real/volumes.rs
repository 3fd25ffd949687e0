//! What stays when containers go.

use cells::driver::{Driver as _, DriverError, Part, PartState};
use protocol::CellId;

use crate::installation::Installation;

async fn remove_both(installation: &Installation, cell: CellId) {
    for part in [Part::Agent, Part::Keeper] {
        installation.driver.remove(cell, part).await.unwrap();
    }
}

async fn start_both(installation: &Installation, cell: CellId) {
    for part in Part::BOTH {
        installation
            .driver
            .create(cell, installation.tenant, part)
            .await
            .unwrap();
        installation.driver.start(cell, part).await.unwrap();
    }
}

#[tokio::test]
async fn the_home_is_shared_memory_that_outlives_its_agent_and_is_gone_with_both() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let inside = |part, script: &str| installation.inside(cell, part, script);

    assert!(
        inside(Part::Agent, "ls -A /home/node").unwrap().is_empty(),
        "nothing of the image is in it"
    );
    let mount = inside(Part::Agent, "grep ' /home/node ' /proc/mounts").unwrap();
    for word in ["tmpfs", "uid=1000", "mode=700", "nosuid", "nodev", "noswap"] {
        assert!(mount.contains(word), "{word} in {mount}");
    }
    inside(Part::Agent, "echo words > /home/node/file; chmod 600 /home/node/file").unwrap();
    assert_eq!(inside(Part::Keeper, "cat /home/node/file").unwrap(), "words");
    let full = inside(Part::Agent, "dd if=/dev/zero of=/home/node/big bs=1M count=20");
    assert!(full.unwrap_err().contains("No space left"));

    installation.driver.remove(cell, Part::Agent).await.unwrap();
    installation
        .driver
        .create(cell, installation.tenant, Part::Agent)
        .await
        .unwrap();
    installation.driver.start(cell, Part::Agent).await.unwrap();
    assert_eq!(inside(Part::Agent, "cat /home/node/file").unwrap(), "words");

    inside(Part::Keeper, "echo kept > /vault/file; touch /run/holdfast/x.sock").unwrap();
    remove_both(&installation, cell).await;
    start_both(&installation, cell).await;
    assert!(inside(Part::Agent, "ls -A /home/node").unwrap().is_empty());
    assert!(inside(Part::Agent, "ls -A /run/holdfast").unwrap().is_empty());
    assert_eq!(inside(Part::Keeper, "cat /vault/file").unwrap(), "kept");

    remove_both(&installation, cell).await;
    installation.driver.destroy(cell).await.unwrap();
    installation.driver.destroy(cell).await.unwrap();
    start_both(&installation, cell).await;
    assert!(inside(Part::Keeper, "ls -A /vault").unwrap().is_empty());
}

#[tokio::test]
async fn every_call_can_be_made_again() {
    let installation = Installation::new().await;
    let driver = &installation.driver;
    let (cell, tenant) = (CellId::new(), installation.tenant);
    let state = async || driver.inspect(cell).await.unwrap().map(|view| view.agent);

    assert_eq!(state().await, None);
    driver.remove(cell, Part::Agent).await.unwrap();
    for _ in 0..2 {
        driver.create(cell, tenant, Part::Agent).await.unwrap();
        assert_eq!(state().await, Some(PartState::Created));
    }
    assert!(matches!(
        driver.pause(cell, Part::Agent).await,
        Err(DriverError::NotRunning { .. })
    ));
    for _ in 0..2 {
        driver.start(cell, Part::Agent).await.unwrap();
        assert_eq!(state().await, Some(PartState::Running));
    }
    for _ in 0..2 {
        driver.pause(cell, Part::Agent).await.unwrap();
        assert_eq!(state().await, Some(PartState::Paused));
    }
    for _ in 0..2 {
        driver.resume(cell, Part::Agent).await.unwrap();
        assert_eq!(state().await, Some(PartState::Running));
    }
    for _ in 0..2 {
        driver
            .stop(cell, Part::Agent, std::time::Duration::from_secs(5))
            .await
            .unwrap();
        assert_eq!(state().await, Some(PartState::Exited));
    }
    for result in [
        driver.pause(cell, Part::Agent).await,
        driver.resume(cell, Part::Agent).await,
    ] {
        assert!(matches!(result, Err(DriverError::NotRunning { .. })), "{result:?}");
    }
    // A container that runs is replaced, and one that is paused can be removed.
    driver.start(cell, Part::Agent).await.unwrap();
    driver.create(cell, tenant, Part::Agent).await.unwrap();
    driver.start(cell, Part::Agent).await.unwrap();
    driver.pause(cell, Part::Agent).await.unwrap();
    for _ in 0..2 {
        driver.remove(cell, Part::Agent).await.unwrap();
        assert_eq!(state().await, None);
    }
    assert!(matches!(
        driver.resume(cell, Part::Agent).await,
        Err(DriverError::NotRunning { .. })
    ));
}

#[tokio::test]
async fn a_missing_image_and_a_missing_docker_are_named() {
    let installation = Installation::with(|config| config.agent_image = "holdfast-no-such-image:0".into()).await;
    let result = installation
        .driver
        .create(CellId::new(), installation.tenant, Part::Agent)
        .await;
    assert!(result.unwrap_err().to_string().contains("holdfast-no-such-image:0"),);
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::installation::config(installation.id, folder.path().to_owned());
    config.docker_socket = Some(folder.path().join("docker.sock"));
    let Err(error) = cells::driver::docker::DockerDriver::connect(config).await else {
        panic!("connected to nothing")
    };
    assert!(error.to_string().contains("start it"), "{error}");
}
