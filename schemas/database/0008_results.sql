-- The catch-up feed: one row for each purchase that has ended, written by the commit that ends it. The
-- number within its client comes later, when the feed is read, under a lock that no commit waits for:
-- so the numbers have no gaps, and what is numbered never moves.
create table result (
    purchase uuid primary key,
    client_id bigint not null,
    ended_at timestamptz not null,
    seq bigint check (seq > 0)
) with (fillfactor = 70);
create unique index result_seq on result (client_id, seq) where seq is not null;
create index result_new on result (client_id, ended_at, purchase) where seq is null;
-- Rows come in the order of their time: a day is found by a summary of pages.
create index result_day on result using brin (ended_at);

-- Statements of a client's day (UTC), as they were told first.
create table statement (
    client_id bigint not null,
    day date not null,
    body text not null,
    made_at timestamptz not null default fleet_now(),
    primary key (client_id, day)
);

-- Numbers a client's newly ended purchases, the oldest first; how many there were.
create function fleet_number_results_v1(p_client bigint, p_max integer) returns integer
language plpgsql volatile as $$
declare
    v_last bigint;
    v_count integer;
begin
    perform pg_advisory_xact_lock(72, hashint8(p_client));
    select coalesce(max(r.seq), 0) into v_last
    from result r where r.client_id = p_client and r.seq is not null;

    update result r
    set seq = v_last + fresh.nth
    from (select n.purchase, row_number() over (order by n.ended_at, n.purchase) as nth
          from (select u.purchase, u.ended_at from result u
                where u.client_id = p_client and u.seq is null
                order by u.ended_at, u.purchase limit p_max) n) fresh
    where r.purchase = fresh.purchase;
    get diagnostics v_count = row_count;
    return v_count;
end $$;
