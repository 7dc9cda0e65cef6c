//! The reference that is made from the program itself: commands, API, limits, metrics.
//! `make reference` writes it; the tests fail when it is not the program's.

use std::{fmt::Write as _, fs, path::Path};

use deskd::internals::{DESCRIPTORS, all_limits, all_metrics};
use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor,
};

use crate::common::daemon::binary;

/// Compares a page with what it should be, or writes it.
fn page(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("docs/reference")
        .join(name);
    let text = format!(
        "{}\n\nThis page is made from the program by `make reference`.\n{}",
        text.lines().next().unwrap(),
        text.split_once('\n').unwrap().1
    );
    if std::env::var_os("DESKD_WRITE_REFERENCE").is_some() {
        fs::write(&path, text).unwrap();
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == text, "{name} is stale: run `make reference`");
}

fn help(words: &[&str]) -> String {
    let output = std::process::Command::new(binary())
        .args(words)
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn commands_are_as_the_program_has_them() {
    let all = help(&[]);
    let (_, commands) = all.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let names = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty() && name != "help").then_some(name)
    });
    let mut text = String::from("# Commands\n");
    for name in names {
        let said = help(&[name]);
        let lines: Vec<&str> = said.trim().lines().map(str::trim_end).collect();
        let said = lines.join("\n");
        write!(text, "\n## deskd {name}\n\n```text\n{said}\n```\n").unwrap();
    }
    page("commands.md", &text);
}

/// The comment of a thing of the API, as one paragraph for each of its own.
fn comment(pool: &DescriptorPool, file: &str, path: &[i32]) -> String {
    let file = pool.get_file_by_name(file).unwrap();
    let source = &file.file_descriptor_proto().source_code_info;
    let locations = source.as_ref().map_or(&[][..], |source| &source.location);
    let location = locations.iter().find(|location| location.path == path);
    let comment = location.map_or("", |location| location.leading_comments());
    let lines: Vec<&str> = comment.lines().map(str::trim_end).collect();
    let lines = lines
        .iter()
        .map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

fn kind(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Message(message) => link(message.name(), message.full_name()),
        Kind::Enum(names) => link(names.name(), names.full_name()),
        other => format!("{other:?}").to_lowercase(),
    };
    match field.cardinality() {
        Cardinality::Repeated => format!("repeated {kind}"),
        _ if field
            .containing_oneof()
            .is_some_and(|one| one.fields().len() > 1) =>
        {
            format!(
                "{kind}, one of `{}`",
                field.containing_oneof().unwrap().name()
            )
        }
        _ if field.supports_presence() && !matches!(field.kind(), Kind::Message(_)) => {
            format!("optional {kind}")
        }
        _ => kind,
    }
}

fn link(name: &str, full: &str) -> String {
    if full.starts_with("deskd.") {
        format!("[{name}](#{})", name.to_lowercase())
    } else {
        full.to_owned()
    }
}

fn message(pool: &DescriptorPool, message: &MessageDescriptor, text: &mut String) {
    let file = message.parent_file().name().to_owned();
    let about = comment(pool, &file, message.path());
    write!(text, "\n### {}\n\n{about}\n", message.name()).unwrap();
    for field in message.fields() {
        let about = comment(pool, &file, field.path())
            .replace("\n\n", "\n")
            .replace('\n', "\n  ");
        let (name, number, kind) = (field.name(), field.number(), kind(&field));
        let gap = if field.number() == message.fields().next().unwrap().number() {
            "\n"
        } else {
            ""
        };
        writeln!(text, "{gap}- `{name}` = {number}, {kind}: {about}").unwrap();
    }
}

fn names(pool: &DescriptorPool, names: &EnumDescriptor, text: &mut String) {
    let file = names.parent_file().name().to_owned();
    let about = comment(pool, &file, names.path());
    write!(text, "\n### {}\n\n{about}\n\n", names.name()).unwrap();
    for value in names.values() {
        let about = comment(pool, &file, value.path())
            .replace("\n\n", "\n")
            .replace('\n', "\n  ");
        let about = if about.is_empty() {
            String::new()
        } else {
            format!(": {about}")
        };
        writeln!(text, "- `{}` = {}{about}", value.name(), value.number()).unwrap();
    }
}

#[test]
fn the_api_is_as_the_program_has_it() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let mut text = String::from("# API\n");
    text.push_str("\nThe package is `deskd.v1`. Errors are described in [Errors](reasons.md).\n");
    for service in pool
        .services()
        .filter(|s| s.full_name().starts_with("deskd."))
    {
        let file = service.parent_file().name().to_owned();
        let about = comment(&pool, &file, service.path());
        write!(text, "\n## {}\n\n{about}\n", service.name()).unwrap();
        for method in service.methods() {
            let about = comment(&pool, &file, method.path());
            let stream = if method.is_server_streaming() {
                "stream of "
            } else {
                ""
            };
            let (input, output) = (method.input(), method.output());
            let input = link(input.name(), input.full_name());
            let output = link(output.name(), output.full_name());
            let name = method.name();
            write!(
                text,
                "\n### {name}\n\n{input} → {stream}{output}\n\n{about}\n"
            )
            .unwrap();
        }
    }
    text.push_str("\n## Messages\n");
    let own = |full: &str| full.starts_with("deskd.");
    for one in pool.all_messages().filter(|m| own(m.full_name())) {
        message(&pool, &one, &mut text);
    }
    text.push_str("\n## Enumerations\n");
    for one in pool.all_enums().filter(|e| own(e.full_name())) {
        names(&pool, &one, &mut text);
    }
    page("api.md", &text);
}

#[test]
fn limits_are_as_the_program_has_them() {
    let mut text = String::from("# Limits\n\n| limit | value |\n| --- | --- |\n");
    for (what, value) in all_limits() {
        writeln!(text, "| {what} | {value} |").unwrap();
    }
    text.push_str(
        "\n`GetInfoResponse.limits` reports the limits that a client can configure itself by.\n",
    );
    page("limits.md", &text);
}

#[test]
fn metrics_are_as_the_program_has_them() {
    let mut text = String::from("# Metrics\n\n| name | kind | what |\n| --- | --- | --- |\n");
    for (name, kind, about) in all_metrics() {
        writeln!(text, "| `{name}` | {kind} | {about} |").unwrap();
    }
    page("metrics.md", &text);
}
