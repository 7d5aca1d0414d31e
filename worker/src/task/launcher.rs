//! Starts processes from one thread that lives as long as the worker. A task asks the kernel to die with its parent, and
//! the kernel means the parent *thread*: started from a pool thread, a task would be killed when the pool shrinks.

use std::{io, process::ExitStatus, thread};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::{mpsc, oneshot},
};

struct Order {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// Cheap to clone. The thread ends with the last clone.
#[derive(Debug, Clone)]
pub(crate) struct Launcher {
    orders: mpsc::UnboundedSender<Order>,
}

impl Launcher {
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, mut queue) = mpsc::unbounded_channel::<Order>();
        let runtime = Handle::current();
        thread::Builder::new().name("launcher".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            while let Some(mut order) = queue.blocking_recv() {
                // Nobody waiting any more: the child is killed by its own `kill_on_drop`.
                drop(order.reply.send(order.command.spawn()));
            }
        })?;
        Ok(Self { orders })
    }

    /// # Errors
    /// The process cannot be started.
    pub(crate) async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the launcher has stopped");
        self.orders.send(Order { command, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// What an exit status means, in words for a log.
pub(crate) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn children_start_from_the_same_thread() {
        let launcher = Launcher::start().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exit 3"]);
        let status = launcher.spawn(command).await.unwrap().wait().await.unwrap();
        assert_eq!(describe(status), "exit status 3");
    }

    #[tokio::test]
    async fn a_program_that_does_not_exist_is_an_error() {
        let launcher = Launcher::start().unwrap();
        assert!(launcher.spawn(Command::new("/nonexistent")).await.is_err());
    }
}
