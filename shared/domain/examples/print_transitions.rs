//! Prints the table of transitions, for the golden file.
#[expect(clippy::print_stdout, reason = "printing is its purpose")]
fn main() {
    print!("{}", fleet_domain::transition_table());
}
