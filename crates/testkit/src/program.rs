//! A program that runs: what it said, how it is ended, and how it ended.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::patience::{PATIENCE, in_time};

/// A program under way. It is killed when this is dropped.
pub struct Program {
    child: Child,
    name: String,
    stdout: Output,
    stderr: Output,
}

/// What a program says in one of its two ways.
struct Output {
    /// Of this run. Its sender is gone once all is here.
    said: watch::Receiver<String>,
    /// Of all runs.
    file: PathBuf,
    reading: AbortHandle,
}

impl Output {
    fn followed(mut pipe: impl AsyncRead + Unpin + Send + 'static, file: PathBuf) -> Self {
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(&file).unwrap();
        let (tell, said) = watch::channel(String::new());
        let reading = tokio::spawn(async move {
            let mut bytes = vec![0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut bytes).await {
                log.write_all(&bytes[..count]).unwrap();
                tell.send_modify(|text| text.push_str(&String::from_utf8_lossy(&bytes[..count])));
            }
        });
        Self { said, file, reading: reading.abort_handle() }
    }

    /// Until the program and all that it started have closed it.
    async fn ends(&self) {
        let mut said = self.said.clone();
        while said.changed().await.is_ok() {}
    }

    fn of_all_runs(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.file).unwrap_or_default()).into_owned()
    }
}

impl Program {
    /// Both outputs go to files named after the program in `logs`, appended where it ran before.
    pub fn start(mut command: Command, logs: &Path, name: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let stdout = Output::followed(child.stdout.take().unwrap(), logs.join(format!("{name}.stdout")));
        let stderr = Output::followed(child.stderr.take().unwrap(), logs.join(format!("{name}.stderr")));
        Self { child, name: name.to_owned(), stdout, stderr }
    }

    /// Waits until standard output, as far as it is there, satisfies; a program that ends before disappoints.
    pub async fn says(&self, what: &str, satisfied: impl Fn(&str) -> bool) -> String {
        self.tells(&self.stdout, what, satisfied).await
    }

    /// The same of standard error.
    pub async fn warns(&self, what: &str, satisfied: impl Fn(&str) -> bool) -> String {
        self.tells(&self.stderr, what, satisfied).await
    }

    async fn tells(&self, output: &Output, what: &str, satisfied: impl Fn(&str) -> bool) -> String {
        let (name, mut said) = (&self.name, output.said.clone());
        let told = tokio::time::timeout(PATIENCE, said.wait_for(|text| satisfied(text))).await;
        if let Ok(Ok(text)) = told {
            return text.clone();
        }
        let why = if told.is_ok() { "ended and" } else { "has not ended and" };
        let (stdout, stderr) = (self.stdout(), self.stderr());
        panic!("{name} {why} never said {what}\n-- stdout\n{stdout}\n-- stderr\n{stderr}")
    }

    /// The value of `name=…` on the line `listening …`.
    pub async fn listens(&self, names: &[&str]) -> Vec<Option<String>> {
        let complete = |text: &str| text.split_inclusive('\n').any(is_listening);
        let text = self.says("where it listens", complete).await;
        let line = text.lines().find(|line| is_listening(&format!("{line}\n"))).unwrap().to_owned();
        let value = |name: &&str| {
            let prefix = format!("{name}=");
            line.split_whitespace().find_map(|word| word.strip_prefix(&prefix)).map(str::to_owned)
        };
        names.iter().map(value).collect()
    }

    /// Whoever read what it prints is gone, as behind a pipe.
    pub fn is_read_no_more(&self) {
        self.stdout.reading.abort();
        self.stderr.reading.abort();
    }

    /// Of the process.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// SIGKILL, and gone.
    pub async fn kill(&mut self) {
        self.child.start_kill().unwrap();
        self.ends().await;
    }

    /// SIGTERM, and no waiting.
    pub async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// SIGINT, as Ctrl-C sends it.
    pub async fn interrupt(&self) {
        self.signal("INT").await;
    }

    /// SIGSTOP: it does nothing until it is continued, and does not know of it.
    pub async fn stop(&self) {
        self.signal("STOP").await;
    }

    /// SIGCONT.
    pub async fn goes_on(&self) {
        self.signal("CONT").await;
    }

    async fn signal(&self, name: &str) {
        let Some(id) = self.child.id() else { panic!("{} has ended already", self.name) };
        let status =
            Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().await.unwrap();
        assert!(status.success(), "kill -{name} {id}");
    }

    /// How it ended; all that it said is here then.
    pub async fn ends(&mut self) -> ExitStatus {
        let ended = async {
            let status = self.child.wait().await.unwrap();
            self.stdout.ends().await;
            self.stderr.ends().await;
            status
        };
        in_time(&format!("{} ends", self.name), ended).await
    }

    /// Of all runs.
    pub fn stdout(&self) -> String {
        self.stdout.of_all_runs()
    }

    /// Of all runs.
    pub fn stderr(&self) -> String {
        self.stderr.of_all_runs()
    }
}

fn is_listening(line: &str) -> bool {
    line.starts_with("listening ") && line.ends_with('\n')
}

/// How a command that ran to its end did end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// -1: ended by a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// Standard output, where the command succeeded.
    pub fn answer(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.stdout
    }

    pub fn json(self) -> serde_json::Value {
        let text = self.answer();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

/// Runs a command to its end, with `input` on standard input.
pub async fn run(mut command: Command, input: &str) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let what = format!("{:?} ends", command.as_std());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input may have closed it.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = in_time(&what, child.wait_with_output()).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Finished {
        code: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}
