-- What is sold on which terms, whose numbers are whose, and who changed any of it.

-- Versions of what was agreed on; the newest counts, the old ones stay. client * = everybody.
create table terms (
    client text not null check (client = '*' or client ~ '^[1-9][0-9]{0,18}$'),
    product_id bigint not null references product,
    version integer not null check (version > 0),
    fee_fixed bigint check (fee_fixed >= 0),
    fee_basis_points bigint check (fee_basis_points between 0 and 10000),
    share_fixed bigint not null check (share_fixed >= 0),
    share_basis_points bigint not null check (share_basis_points between 0 and 10000),
    share_fee_basis_points bigint not null check (share_fee_basis_points between 0 and 10000),
    settlement text not null check (settlement in ('gross', 'net')),
    active boolean not null,
    created_at timestamptz not null default fleet_now(),
    primary key (client, product_id, version),
    check ((fee_fixed is null) = (fee_basis_points is null))
);

create table country (
    country_code text primary key check (country_code ~ '^[A-Z]{2}$'),
    name text not null,
    calling_code integer not null check (calling_code between 1 and 999)
);

create table mobile_operator (
    operator_code text primary key check (length(operator_code) between 1 and 32),
    name text not null,
    country_code text not null references country
);

create table operator_prefix (
    prefix text primary key check (prefix ~ '^[1-9][0-9]{0,14}$'),
    operator_code text not null references mobile_operator
);

-- Numbers that moved to another operator: keyed hashes, for a number is personal data.
create table ported_number (
    number_hash bytea primary key,
    operator_code text not null references mobile_operator,
    created_at timestamptz not null default fleet_now()
);

-- One row for each row of an import that changed something. Secrets and personal data are not in it:
-- that they changed is.
create table directory_history (
    change bigint generated always as identity,
    at timestamptz not null default fleet_now(),
    version bigint not null,
    actor text not null check (length(actor) between 1 and 64),
    -- why, where whoever did it said so
    reason text check (length(reason) between 1 and 200),
    section text not null check (length(section) <= 64),
    key text not null check (octet_length(key) <= 1024),
    change_kind text not null check (change_kind in ('added', 'changed')),
    fields jsonb not null,
    -- No index begins with the number: walking all changes back for those of one section would read
    -- all others.
    primary key (section, change)
);
create index directory_history_by_key on directory_history (section, key, change);

-- The catalogue's part of an import: rows that differ from what is there.
create function fleet_import_catalogue_v1(p_rows jsonb) returns void
language plpgsql volatile as $$
begin
    insert into terms (client, product_id, version, fee_fixed, fee_basis_points, share_fixed,
                       share_basis_points, share_fee_basis_points, settlement, active)
    select r.client, r.product_id, r.version, r.fee_fixed, r.fee_basis_points, r.share_fixed,
           r.share_basis_points, r.share_fee_basis_points, r.settlement, r.active
    from jsonb_to_recordset(p_rows -> 'terms') as r (
        client text, product_id bigint, version integer, fee_fixed bigint,
        fee_basis_points bigint, share_fixed bigint, share_basis_points bigint,
        share_fee_basis_points bigint, settlement text, active boolean);

    insert into country (country_code, name, calling_code)
    select r.country_code, r.name, r.calling_code
    from jsonb_to_recordset(p_rows -> 'countries') as r (
        country_code text, name text, calling_code integer)
    on conflict (country_code) do update
    set name = excluded.name, calling_code = excluded.calling_code;

    insert into mobile_operator (operator_code, name, country_code)
    select r.operator_code, r.name, r.country_code
    from jsonb_to_recordset(p_rows -> 'operators') as r (
        operator_code text, name text, country_code text)
    on conflict (operator_code) do update
    set name = excluded.name, country_code = excluded.country_code;

    insert into operator_prefix (prefix, operator_code)
    select r.prefix, r.operator_code
    from jsonb_to_recordset(p_rows -> 'prefixes') as r (prefix text, operator_code text)
    on conflict (prefix) do update set operator_code = excluded.operator_code;

    insert into ported_number (number_hash, operator_code)
    select decode(r.number_hash, 'hex'), r.operator_code
    from jsonb_to_recordset(p_rows -> 'ported') as r (number_hash text, operator_code text)
    on conflict (number_hash) do update set operator_code = excluded.operator_code;
end $$;

-- Who changed what, in the import's own transaction.
create function fleet_import_history_v1(p_version bigint, p_actor text, p_reason text, p_rows jsonb)
returns void
language sql volatile as $$
    insert into directory_history (version, actor, reason, section, key, change_kind, fields)
    select p_version, p_actor, p_reason, r.row ->> 'section', r.row ->> 'key', r.row ->> 'change_kind',
           r.row -> 'fields'
    from jsonb_array_elements(p_rows -> 'history') with ordinality as r (row, i)
    order by r.i
$$;
