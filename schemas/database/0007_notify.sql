-- Messages to buyer and recipient. They are rows of `delivery` like results, with slots of their own:
-- from 100 those that the end of a purchase makes, from 200 those that a client asked for.

-- Which connector sends a client's messages, by channel.
create table client_notify (
    client_id bigint primary key references client,
    sms text references connector,
    email text references connector,
    -- which of the client's templates are taken first
    language text
);

-- A client's own texts; language '' is taken where none of the client's language is there.
create table notify_template (
    client_id bigint not null references client,
    event text not null check (event in ('buyer_failed', 'recipient_success')),
    language text not null default '' check (length(language) <= 16),
    text text not null check (length(text) between 1 and 600),
    primary key (client_id, event, language)
);

-- Notifications by the client's own reference; the message is the delivery row of that slot.
create table notification (
    client_id bigint not null,
    client_notification_ref text not null
        check (length(client_notification_ref) between 1 and 64),
    purchase uuid not null,
    slot integer not null check (slot >= 200),
    fingerprint bytea not null,
    created_at timestamptz not null,
    primary key (client_id, client_notification_ref),
    unique (purchase, slot)
);

-- Stores a message that a client asked for, with its task. The same reference again is the same
-- message, whatever became of the channel since: without a lane nothing new is stored. Verdicts: new,
-- same, conflict, not_found, no_channel, too_many.
create function fleet_notify_v1(
    p_client bigint, p_ref text, p_fingerprint bytea, p_purchase uuid, p_channel text,
    p_body bytea, p_lane integer, p_start_by timestamptz, p_at_most integer
) returns table (verdict text, slot integer, db_now timestamptz)
language plpgsql volatile set enable_seqscan = off set enable_indexscan = off
set enable_mergejoin = off as $$
declare
    v_slot integer;
    v_known notification%rowtype;
begin
    db_now := fleet_now();
    select * into v_known from notification n
    where n.client_id = p_client and n.client_notification_ref = p_ref;
    if not found then
        if p_lane is null then
            verdict := 'no_channel';
            return next;
            return;
        end if;
        -- Two of one purchase get their slots one after the other.
        perform 1 from purchase p
            where p.purchase = p_purchase and p.client_id = p_client for no key update;
        if not found then
            verdict := 'not_found';
            return next;
            return;
        end if;

        select max(n.slot) into v_slot from notification n where n.purchase = p_purchase;
        v_slot := coalesce(v_slot + 1, 200);
        if v_slot < 200 + p_at_most then
            -- It waits for whoever stores the same reference at this moment; what is read then sees
            -- it.
            insert into notification (client_id, client_notification_ref, purchase, slot,
                                      fingerprint, created_at)
            values (p_client, p_ref, p_purchase, v_slot, p_fingerprint, db_now)
            on conflict (client_id, client_notification_ref) do nothing;
            if found then
                insert into delivery (purchase, slot, client_id, channel, body_sealed, created_at)
                values (p_purchase, v_slot, p_client, p_channel, p_body, db_now);
                insert into task (purchase, kind, slot, state, due_at, lane, client, hinted_at,
                                  start_by, deadline_at, created_at)
                values (p_purchase, 6, v_slot, 1, db_now + interval '10 seconds', p_lane, p_client,
                        db_now, p_start_by, p_start_by, db_now);
                verdict := 'new';
                slot := v_slot;
                return next;
                return;
            end if;
        end if;
        select * into v_known from notification n
        where n.client_id = p_client and n.client_notification_ref = p_ref;
    end if;
    verdict := case when v_known.slot is null then 'too_many'
                    when v_known.fingerprint = p_fingerprint then 'same'
                    else 'conflict' end;
    slot := v_known.slot;
    return next;
end $$;
