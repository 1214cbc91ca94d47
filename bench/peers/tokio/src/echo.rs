//! Echo: what comes goes back; mix: after 2 ms of computing, if it begins with a B. Stream: sends
//! the same piece again and again.

use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// As in the other servers of the benchmark (bench/servers.h).
const BUFFER: usize = 16384;
const PIECE: usize = 65536;
const BURN: Duration = Duration::from_millis(2);
const SLEEP: Duration = Duration::from_secs(2);

fn burn(message: &[u8]) {
    if message[0] == b'B' {
        let begin = Instant::now();
        while begin.elapsed() < BURN {}
    } else if message[0] == b'S' {
        std::thread::sleep(SLEEP);
    }
}

async fn echo<const MIX: bool>(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = [0; BUFFER];

    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(());
        }
        if MIX {
            burn(&buffer[..n]);
        }
        stream.write_all(&buffer[..n]).await?;
    }
}

async fn pump(mut stream: TcpStream, piece: &'static [u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece).await?;
    }
}

pub async fn serve<const MIX: bool>(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(echo::<MIX>(stream));
    }
}

pub async fn serve_stream(listener: TcpListener) -> io::Result<()> {
    let piece = (0..PIECE)
        .map(|i| (i % 251) as u8)
        .collect::<Vec<_>>()
        .leak();

    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(pump(stream, piece));
    }
}
