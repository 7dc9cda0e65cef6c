//! All integration tests, one behaviour a file, as one program: it links once.

#![allow(missing_docs, unreachable_pub, clippy::unwrap_used)] // a test, not a library

mod common;

mod act;
mod auth;
mod batches;
mod capture;
mod card;
mod cli;
mod client;
mod clipboard;
mod conformance;
mod control;
mod coordinates;
mod cursor;
mod decoders;
mod docs;
mod doctor;
mod held;
mod hostile_desktop;
mod hostile_network;
mod incremental;
mod keys;
mod lifecycle;
mod limits;
mod links;
mod log;
mod log_exports;
mod log_recorder;
mod log_safety;
mod mouse;
mod operating;
mod pacing;
mod paint;
mod paste;
mod programs;
mod reference;
mod services;
mod sessions;
mod settle;
mod sharing;
mod stack;
mod text;
mod text_programs;
mod toolkits;
mod unchanged;
mod viewer;
mod wait_for;
mod watch;
mod window_images;
mod window_managers;
mod windows;
mod workers;
mod xfce;
