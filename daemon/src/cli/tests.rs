use clap::CommandFactory;

use super::*;

mod manifests;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_has_an_environment_variable() {
    for command in Cli::command().get_subcommands() {
        for argument in command.get_arguments() {
            let Some(long) = argument.get_long() else {
                continue;
            };
            let expected = format!("CARILLON_{}", long.to_uppercase().replace('-', "_"));
            let variable = argument.get_env().map(|name| name.to_string_lossy());
            assert_eq!(variable.as_deref(), Some(&*expected), "--{long}");
        }
    }
}

#[test]
fn every_command_is_explained_by_examples() {
    for command in Cli::command().get_subcommands() {
        assert!(command.get_long_about().is_some(), "{}", command.get_name());
        let examples = command.get_after_help().unwrap().to_string();
        let example = format!("carillon {}", command.get_name());
        assert!(examples.contains(&example), "{examples}");
    }
}

#[test]
fn the_version_names_the_revision() {
    let version = Cli::command().render_version();
    let package = concat!("carillon ", env!("CARGO_PKG_VERSION"), " (");
    assert!(version.starts_with(package), "{version}");
    assert!(version.len() > package.len() + 7, "{version}");
}
