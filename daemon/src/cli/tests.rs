use clap::CommandFactory;

use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_flag_with_a_value_has_an_environment_variable() {
    for command in Cli::command().get_subcommands() {
        for argument in command
            .get_arguments()
            .filter(|a| a.get_num_args().is_none())
        {
            let Some(long) = argument.get_long() else {
                continue;
            };
            let takes_value = argument.get_action().takes_values();
            let expected = format!("CARILLON_{}", long.to_uppercase().replace('-', "_"));
            let variable = argument
                .get_env()
                .map(|name| name.to_string_lossy().into_owned());
            assert_eq!(variable, takes_value.then_some(expected), "--{long}");
        }
    }
}
