//! The Tokio peer. `bench/README.md` documents the protocol; `bench/run` starts it as
//! `weft-peer-tokio multi|current server echo|mix|stream|http PORT` or `weft-peer-tokio multi|current bench`.

mod bench;
mod blocking;
mod echo;
mod fiber;
mod file;
mod http;
mod sched;
mod sync;
mod time;

use std::io::Write;
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "usage: weft-peer-tokio multi|current server echo|mix|stream|http PORT
       weft-peer-tokio multi|current bench
       weft-peer-tokio version
multi has WORKERS threads (environment; 2).";

fn runtime(flavour: &str) -> Result<Runtime, String> {
    let mut builder = match flavour {
        "multi" => {
            let workers = match std::env::var("WORKERS") {
                Ok(text) => text
                    .parse()
                    .ok()
                    .filter(|n| (1..=1024).contains(n))
                    .ok_or(format!(
                        "WORKERS={text}: a number from 1 to 1024 is expected"
                    ))?,
                Err(_) => 2,
            };
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers);
            builder
        }
        "current" => Builder::new_current_thread(),
        _ => return Err(USAGE.into()),
    };
    builder.enable_all().build().map_err(|e| e.to_string())
}

async fn serve(which: &str, port: u16) -> Result<(), String> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .await
        .map_err(|e| e.to_string())?;
    let port = listener.local_addr().map_err(|e| e.to_string())?.port();

    println!("listening {port}");
    std::io::stdout().flush().map_err(|e| e.to_string())?;
    // Connections are spawned from a task, so that they start on a worker's own queue.
    let accepting = match which {
        "echo" => tokio::spawn(echo::serve::<false>(listener)),
        "mix" => tokio::spawn(echo::serve::<true>(listener)),
        "stream" => tokio::spawn(echo::serve_stream(listener)),
        "http" => tokio::spawn(http::serve(listener)),
        _ => return Err(USAGE.into()),
    };
    accepting
        .await
        .map_err(|e| e.to_string())?
        .map_err(|e| e.to_string())
}

fn run(args: &[&str]) -> Result<(), String> {
    match args {
        ["version"] => {
            // Its own lock file says which Tokio it was built with.
            let version = include_str!("../Cargo.lock")
                .split_once("name = \"tokio\"\nversion = \"")
                .and_then(|(_, rest)| rest.split('"').next());
            println!("{}", version.unwrap_or("unknown"));
            Ok(())
        }
        [flavour, "bench"] => {
            let rt = runtime(flavour)?;
            let benches = [
                sched::BENCHES,
                time::BENCHES,
                blocking::BENCHES,
                file::BENCHES,
                sync::BENCHES,
                fiber::BENCHES,
            ]
            .concat();
            bench::serve(&rt, *flavour == "current", &benches).map_err(|e| e.to_string())
        }
        [flavour, "server", which, port] => {
            let port = port.parse().map_err(|_| USAGE)?;
            runtime(flavour)?.block_on(serve(which, port))
        }
        _ => Err(USAGE.into()),
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();

    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
