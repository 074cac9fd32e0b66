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

#[test]
fn exactly_one_source_is_given() {
    let source = |flags: &[&str]| {
        let arguments = ["carillon", "run"].iter().chain(flags);
        let Command::Run(args) = Cli::parse_from(arguments).command else {
            panic!("{flags:?} is not `run`");
        };
        match args.source() {
            Ok(Source::Files(_)) => "files".to_owned(),
            Ok(Source::Cluster(Some(_), _)) => "kubeconfig".to_owned(),
            Ok(Source::Cluster(None, _)) => "pod".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(source(&["--files", "."]), "files");
    assert_eq!(source(&["--kubernetes"]), "pod");
    assert_eq!(source(&["--kubeconfig", "k"]), "kubeconfig");
    assert_eq!(source(&["--kubernetes", "--kubeconfig", "k"]), "kubeconfig");
    assert!(source(&[]).contains("say what to announce"));
    assert!(source(&["--context", "c"]).contains("say what to announce"));
    for cluster in [&["--kubernetes"][..], &["--kubeconfig", "k"]] {
        assert!(source(&[cluster, &["--files", "."]].concat()).contains("exclude each other"));
        assert!(source(&[cluster, &["--state", "s"]].concat()).contains("--state is for --files"));
    }
}

#[test]
fn a_role_is_for_clusters_and_one_that_announces_nothing_needs_no_others() {
    let check = |role, is_cluster, is_for_speakers| {
        let checked = RoleArgs { role }.check(is_cluster, is_for_speakers);
        checked.map_err(|error| error.to_string())
    };
    for role in [Role::Both, Role::Speaker, Role::Controller] {
        assert_eq!(check(role, true, false), Ok(()));
        let with_files = check(role, false, false).is_ok();
        assert_eq!(with_files, role == Role::Both);
    }
    assert_eq!(check(Role::Speaker, true, true), Ok(()));
    let refused = check(Role::Controller, true, true).unwrap_err();
    assert!(refused.contains("--gossip-bind"), "{refused}");
}
