//! The command line: `deskd serve`, and a client of the same API.
//!
//! This is the top of the crate: it may call [`rpc`](crate::rpc) and everything below, and only the
//! `deskd` binary calls it. A failure is reported as one line on standard error, which says what
//! failed, why and what to do, and by an exit code of [`Exit`].

mod act;
mod act_args;
mod args;
mod bridge;
mod call;
mod client_args;
mod clipboard;
mod control;
mod doctor;
mod exit;
mod http;
mod image;
mod info;
mod json;
mod links;
mod log;
mod mcp;
mod print;
mod program_args;
mod programs;
mod ready;
mod screenshot;
mod serve;
mod serve_args;
mod serve_stack;
mod service;
mod session;
mod stack;
mod values;
mod viewer_token;
mod watch;
mod window_args;
mod windows;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use exit::Exit;

use args::{Cli, Command};
use exit::CliError;
use links::Link;

use crate::processes;

/// Parses the command line, runs the command, and returns the exit code.
pub fn run() -> ExitCode {
    let mut arguments = std::env::args_os();
    if let Some(link) = arguments.next().and_then(|name| Link::of(name.as_ref())) {
        return link.run(arguments.collect());
    }
    // If the arguments are wrong, this exits with 2 and a usage line.
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve(serve) => {
            processes::handle_ignored();
            serve::run(serve)
        }
        Command::Info(info) => call::block_on(info::info(info)),
        Command::Cursor(cursor) => call::block_on(info::cursor(cursor)),
        Command::Screenshot(screenshot) => call::block_on(screenshot::run(screenshot)),
        Command::Watch(watch) => call::block_on(watch::run(watch)),
        Command::Act(args) => call::block_on(act::act(args)),
        Command::Click(click) => call::block_on(act::click(click)),
        Command::Move(to) => call::block_on(act::move_to(to)),
        Command::Paste(paste) => call::block_on(act::paste(paste)),
        Command::Type(text) => call::block_on(act::type_text(text)),
        Command::Key(key) => call::block_on(act::key(key)),
        Command::Scroll(scroll) => call::block_on(act::scroll(scroll)),
        Command::ViewerToken(token) => viewer_token::print(token),
        Command::Log(args) => log::run(args),
        Command::Control(control) => call::block_on(control::control(control)),
        Command::Windows(windows) => call::block_on(windows::list(windows)),
        Command::Focus(focus) => call::block_on(windows::focus(focus)),
        Command::Window(window) => call::block_on(windows::window(window)),
        Command::WaitFor(wait) => call::block_on(windows::wait_for(wait)),
        Command::Clipboard(clipboard) => call::block_on(clipboard::run(clipboard)),
        Command::Run(run) => call::block_on(programs::run(run)),
        Command::Open(open) => call::block_on(programs::open(open)),
        Command::Programs(programs) => call::block_on(programs::programs(programs)),
        Command::SessionHelper(helper) => {
            processes::handle_ignored();
            programs::session_helper(helper)
        }
        Command::Pressed(client) => call::block_on(act::pressed(client)),
        Command::Release(client) => call::block_on(act::release(client)),
        Command::Up(up) => call::block_on(stack::up(up)),
        Command::Down(down) => call::block_on(stack::down(down)),
        Command::Status(status) => call::block_on(stack::status(status)),
        Command::ExecComponent {
            parent,
            no_new_privs,
            user,
            folder,
            program,
            arguments,
        } => {
            let error = crate::stack::init::exec(&crate::stack::init::ComponentProgram {
                parent,
                user,
                folder: &folder,
                no_new_privs,
                program: &program,
                arguments: &arguments,
            });
            let message = format!("{} cannot be started: {error}", program.display());
            Err(CliError::new(Exit::Local, message))
        }
        Command::Ready(ready) => call::block_on(ready::run(ready)),
        Command::Doctor(doctor) => call::block_on(doctor::run(doctor)),
        Command::Bridge(bridge) => bridge::run(&bridge),
        Command::Mcp(client) => call::block_on(mcp::run(client)),
        Command::InstallLinks { folder } => links::install(&folder),
        Command::ExecSession {
            background,
            program,
            arguments,
        } => session::exec(&background, &program, &arguments),
        Command::KeepProgram { program, words } => crate::helper::keep(&program, &words)
            .map(|()| Exit::Done)
            .map_err(|error| CliError::new(Exit::Local, error.to_string())),
        Command::CheckBackground { user, background } => {
            crate::stack::init::check_background(user, &background)
                .map(|()| Exit::Done)
                .map_err(|error| CliError::new(Exit::Local, error.to_string()))
        }
        Command::SeedHome { user, background } => {
            crate::stack::init::seed_home(user, background.as_ref())
                .map(|()| Exit::Done)
                .map_err(|error| CliError::new(Exit::Local, error.to_string()))
        }
        Command::Man { folder } => clap_mangen::generate_to(Cli::command(), &folder)
            .map(|()| Exit::Done)
            .map_err(|error| {
                let message = format!("{} cannot be written: {error}", folder.display());
                CliError::new(Exit::Local, message)
            }),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "deskd", &mut script);
            print::all(&script).map(|()| Exit::Done)
        }
    };
    match done {
        Ok(exit) => exit.into(),
        Err(CliError { exit, message }) => {
            if !message.is_empty() {
                print::complain(format_args!("{}", message.replace('\n', " ")));
            }
            exit.into()
        }
    }
}
