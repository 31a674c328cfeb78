//! A disk that fills up: new mail is refused before it is full, what Microsoft took is still written down, and all comes back by
//! itself when there is room. The disk is a small one in memory, which whoever runs the tests must be allowed to mount.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postrider_proto::v1::{Message, MessageState};
use postrider_testkit::{PATIENCE, Proxy, Refusal, Service, Weather, World, in_time, mail};
use reqwest::Method;
use tonic::Code;

use crate::support::{doubts, given, mortal};

const DISK_BYTES: u64 = 32 << 20;
/// Below so much no new mail is accepted.
const FLOOR_BYTES: u64 = 8 << 20;

/// Mounted in the world's folder, until this is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mounted(world: &World) -> Self {
        let path = world.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let size = format!("size={DISK_BYTES}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output().unwrap();
        assert!(
            mounted.status.success(),
            "a small disk cannot be mounted, which takes root: {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self(path)
    }

    fn free(&self) -> u64 {
        let shown = Command::new("df").args(["-B1", "--output=avail"]).arg(&self.0).output().unwrap();
        let text = String::from_utf8(shown.stdout).unwrap();
        text.lines().last().unwrap().trim().parse().unwrap()
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Leaves so many bytes.
    fn fills_to(&self, free: u64) {
        let there = std::fs::metadata(self.filler()).map_or(0, |found| found.len());
        let wanted = usize::try_from(there + self.free() - free).unwrap();
        // What does not fit is cut off by the disk.
        std::fs::write(self.filler(), vec![0; wanted]).ok();
    }

    fn is_emptied(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

/// A service on a small disk, and a proxy that holds Microsoft's answers back once it is told to.
async fn on(disk: &SmallDisk, world: &World) -> (Service, Proxy) {
    let microsoft = world.microsoft().await;
    let proxy = Proxy::before(microsoft.origin()).await;
    let service = mortal(world, &microsoft)
        .in_data_dir(disk.0.join("data"))
        .with("microsoft.graph_url", proxy.address())
        .with("microsoft.call_timeout", "60s")
        .with("storage.free_bytes_min", &FLOOR_BYTES.to_string())
        .starts()
        .await
        .with_acme()
        .await;
    (service, proxy)
}

/// A mail that Microsoft took, whose answer is held back.
async fn taken(service: &Service, proxy: &Proxy) -> Message {
    proxy.turns_for(Method::POST, "/sendMail", Weather::HoldsAnswers);
    let message = service.admin().sends(mail("acme").about("in flight")).await;
    proxy.holds_one().await;
    message
}

/// The first refusal. The disk is looked at twice a second, and what comes in between meets a disk that is full.
async fn refusal(service: &Service) -> Refusal {
    let refused = async {
        loop {
            match service.admin().tries(mail("acme")).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                Err(status) => return Refusal::of(&status),
            }
        }
    };
    let refusal = in_time("new mail is refused", refused).await;
    assert_eq!(refusal.further, ["RetryInfo"], "{refusal:?}");
    refusal
}

async fn is_refused(service: &Service) {
    assert_eq!(refusal(service).await.kind(), (Code::ResourceExhausted, "STORAGE_FULL"));
}

async fn is_taken_again(service: &Service) {
    let accepted = async {
        loop {
            match service.admin().tries(mail("acme").waiting_for_sent()).await {
                Ok(response) => return response.message.unwrap(),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let message = tokio::time::timeout(PATIENCE, accepted).await.expect("new mail is taken again");
    assert_eq!(message.state(), MessageState::Sent, "{message:#?}");
}

async fn is_sound(service: &Service) {
    let checked = service.world().runs(&["check-store", "--data-dir", &shown(service.data_dir())]).await;
    assert_eq!(checked.code, 0, "{checked:#?}");
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test]
async fn below_the_floor_new_mail_is_refused_and_outcomes_are_written_down() {
    let world = given();
    let disk = SmallDisk::mounted(&world);
    let (service, proxy) = on(&disk, &world).await;
    let message = taken(&service, &proxy).await;

    disk.fills_to(FLOOR_BYTES / 2);
    is_refused(&service).await;
    proxy.turns(Weather::Fair);
    proxy.lets_go();

    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    assert_eq!((sent.attempts.len(), doubts(&sent)), (1, 0), "{sent:#?}");
    is_refused(&service).await;
    disk.is_emptied();
    is_taken_again(&service).await;
    is_sound(&service).await;
}

#[tokio::test]
async fn what_was_sent_is_written_down_once_a_full_disk_has_room_and_is_not_sent_again() {
    let world = given();
    let disk = SmallDisk::mounted(&world);
    let (service, proxy) = on(&disk, &world).await;
    let message = taken(&service, &proxy).await;

    disk.fills_to(0);
    assert_eq!(disk.free(), 0);
    refusal(&service).await;
    proxy.turns(Weather::Fair);
    proxy.lets_go();
    // Whether there is room for this outcome is up to what SQLite has left in its log.
    for _ in 0..10 {
        refusal(&service).await;
    }
    disk.is_emptied();

    is_taken_again(&service).await;
    let sent = service.admin().reaches(&message, MessageState::Sent).await;
    assert_eq!((sent.attempts.len(), doubts(&sent)), (1, 0), "{sent:#?}");
    assert_eq!(service.microsoft().copies(&sent.internet_message_id).await, 1);
    is_sound(&service).await;
}
