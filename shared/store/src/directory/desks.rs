//! Whose purchases are reported to which fraud desk: what an import must fulfil. Where there is one
//! active desk it is everybody's; where there are more, nobody's is guessed.

use std::collections::BTreeMap;

use fleet_domain::{Directory, Party};

use super::check::Check;
use super::rows::DirectoryImport;

/// What others say of a desk.
#[derive(Clone, Copy)]
struct Desk {
    active: bool,
    sandbox: bool,
}

/// A client or product as it will stand.
struct Owner<'a> {
    desk: Option<&'a str>,
    active: bool,
    /// Its side; a product's is its supplier's.
    sandbox: bool,
}

/// The directory as it will stand.
struct Whole<'a> {
    desks: BTreeMap<&'a str, Desk>,
    clients: BTreeMap<i64, Owner<'a>>,
    products: BTreeMap<i64, Owner<'a>>,
}

impl<'a> Whole<'a> {
    fn of(import: &'a DirectoryImport, current: &'a Directory) -> Self {
        let mut sides: BTreeMap<&str, bool> =
            current.connectors.values().map(|c| (c.name.as_str(), c.sandbox)).collect();
        sides.extend(import.connectors.iter().map(|row| (row.name.as_str(), row.sandbox)));
        let side = |supplier: &str| sides.get(supplier).copied().unwrap_or_default();
        let stored = current.connectors.values().filter(|c| c.party == Party::Desk);
        let mut desks: BTreeMap<&str, Desk> = stored
            .map(|c| (c.name.as_str(), Desk { active: c.active, sandbox: c.sandbox }))
            .collect();
        for row in import.connectors.iter().filter(|row| row.party == Party::Desk) {
            desks.insert(&row.name, Desk { active: row.active, sandbox: row.sandbox });
        }
        let mut clients = BTreeMap::new();
        for client in current.clients.values() {
            let desk = client.desk.as_deref();
            let owner = Owner { desk, active: client.active, sandbox: client.sandbox };
            clients.insert(client.id.0, owner);
        }
        for row in &import.clients {
            let desk = row.desk.as_deref();
            let owner = Owner { desk, active: row.active, sandbox: row.sandbox };
            clients.insert(row.client_id, owner);
        }
        let mut products = BTreeMap::new();
        for product in current.products.values() {
            let (desk, sandbox) = (product.desk.as_deref(), side(&product.supplier));
            products.insert(product.id.0, Owner { desk, active: product.active, sandbox });
        }
        for row in &import.products {
            let (desk, sandbox) = (row.desk.as_deref(), side(&row.supplier));
            products.insert(row.product_id, Owner { desk, active: row.active, sandbox });
        }
        Self { desks, clients, products }
    }

    /// What is missing on one side where there are two desks or more: who has to name one.
    fn missing(&self, sandbox: bool) -> Option<String> {
        let active = self.desks.iter().filter(|(_, desk)| desk.active && desk.sandbox == sandbox);
        let active: Vec<&str> = active.map(|(name, _)| *name).collect();
        let without = |owners: &BTreeMap<i64, Owner<'_>>| {
            let open = owners.iter().filter(|(_, owner)| {
                owner.active && owner.sandbox == sandbox && owner.desk.is_none()
            });
            open.map(|(id, _)| id.to_string()).collect::<Vec<_>>()
        };
        let (clients, products) = (without(&self.clients), without(&self.products));
        if active.len() < 2 || clients.is_empty() || products.is_empty() {
            return None;
        }
        Some(format!(
            "there are the active fraud desks {}: each client has to name its own in desk, and {} \
             does not; or each product, and {} does not",
            active.join(" and "),
            named("client", &clients),
            named("product", &products),
        ))
    }
}

/// The first of them, and how many more there are.
fn named(what: &str, ids: &[String]) -> String {
    let (shown, rest) = ids.split_at(ids.len().min(NAMED_MAX));
    let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
    format!("{what} {}{more}", shown.join(", "))
}

/// So many clients or products are named.
const NAMED_MAX: usize = 20;

impl Check {
    /// Desks that clients and products name, and those that must name one.
    pub(super) fn desks(&mut self, import: &DirectoryImport, current: &Directory) {
        let whole = Whole::of(import, current);
        for (index, row) in import.clients.iter().enumerate() {
            self.at("client", index);
            let name = format!("client {}", row.client_id);
            self.desk_of(&name, row.desk.as_deref(), row.sandbox, &whole);
        }
        for (index, row) in import.products.iter().enumerate() {
            self.at("product", index);
            let name = format!("product {}", row.product_id);
            let sandbox = whole.products.get(&row.product_id).is_some_and(|owner| owner.sandbox);
            self.desk_of(&name, row.desk.as_deref(), sandbox, &whole);
        }
        for sandbox in [false, true] {
            let Some(problem) = whole.missing(sandbox) else { continue };
            self.without_desk(import, (sandbox, &whole), &problem);
        }
    }

    fn desk_of(&mut self, name: &str, desk: Option<&str>, sandbox: bool, whole: &Whole<'_>) {
        let Some(desk) = desk else { return };
        match whole.desks.get(desk) {
            None => self.say(name, "desk must be a desk among the connectors"),
            Some(desk) if desk.sandbox != sandbox => {
                self.say(name, "desk must be in the sandbox iff it is of the sandbox itself");
            }
            Some(_) => {}
        }
    }

    /// Says it of the rows that bring it about: whoever names none, else the desks.
    fn without_desk(
        &mut self,
        import: &DirectoryImport,
        (sandbox, whole): (bool, &Whole<'_>),
        problem: &str,
    ) {
        let before = self.count();
        for (index, row) in import.clients.iter().enumerate() {
            if row.active && row.sandbox == sandbox && row.desk.is_none() {
                self.at("client", index);
                self.say(&format!("client {}", row.client_id), problem);
            }
        }
        let desks = import.connectors.iter().enumerate();
        for (index, row) in desks.filter(|(_, row)| row.party == Party::Desk && row.active) {
            if row.sandbox == sandbox && self.count() == before {
                self.at("connector", index);
                self.say(&format!("connector {}", row.name), problem);
            }
        }
        for (index, row) in import.products.iter().enumerate() {
            let owner = whole.products.get(&row.product_id);
            let is_open = owner.is_some_and(|owner| owner.active && owner.sandbox == sandbox);
            if is_open && row.desk.is_none() && self.count() == before {
                self.at("product", index);
                self.say(&format!("product {}", row.product_id), problem);
            }
        }
    }
}
