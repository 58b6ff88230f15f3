-- Money that a source took at once because its buyer agreed, by SMS or on its page.

-- One transaction of a source pays for one purchase. The sources' notifications are not signed and
-- what they answer about a transaction does not name the purchase: without this row the same
-- transaction could be told for two.
create table charge (
    funding_source text not null check (length(funding_source) <= 64),
    reference text not null check (octet_length(reference) <= 512),
    purchase uuid not null unique,
    primary key (funding_source, reference)
);

-- Where the buyer pays: the source's page, under seal, since whoever has it may pay there.
create table payment_page (
    purchase uuid primary key,
    url_sealed bytea not null
);

-- What a group of reserve commits learnt. A second purchase on one transaction is refused by the
-- primary key: its task is parked, with the answer.
create function fleet_charged_v1(
    p_purchase uuid[], p_verdict smallint[], p_track text[], p_ref text[], p_page bytea[]
) returns void language plpgsql volatile as $$
begin
    if 'charged' = any (p_track) then
        insert into charge (funding_source, reference, purchase)
        select p.funding_source, c.ref, p.purchase
        from unnest(p_verdict, p_purchase, p_track, p_ref) as c (verdict, purchase, track, ref)
        join purchase p on p.purchase = c.purchase
        where c.verdict = 1 and c.track = 'charged' and c.ref is not null and p.funding <> 'bank'
        order by p.funding_source, c.ref;
    end if;
    insert into payment_page (purchase, url_sealed)
    select c.purchase, c.page
    from unnest(p_verdict, p_purchase, p_page) as c (verdict, purchase, page)
    where c.verdict = 1 and c.page is not null
    on conflict (purchase) do update set url_sealed = excluded.url_sealed;
end $$;
