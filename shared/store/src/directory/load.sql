-- One statement, so one snapshot.
select (select v.version from directory_version v) as version,
       exists (select 1 from maintenance) as maintenance,
       (select coalesce(jsonb_agg(to_jsonb(c) || jsonb_build_object('channels',
                   (select coalesce(jsonb_object_agg(h.channel, h.url), '{}')
                    from client_channel h where h.client_id = c.client_id),
                   'notify', (select to_jsonb(n) from client_notify n
                              where n.client_id = c.client_id))), '[]')
        from client c) as clients,
       (select coalesce(jsonb_agg(to_jsonb(c)), '[]') from connector c) as connectors,
       (select coalesce(jsonb_agg(to_jsonb(p)), '[]') from product p) as products,
       (select coalesce(jsonb_agg(to_jsonb(l)), '[]') from lane l) as lanes,
       (select coalesce(jsonb_agg(to_jsonb(r)), '[]')
        from (select distinct on (kind, owner, class) kind, owner, class, version, delays_seconds
              from retry_plan order by kind, owner, class, version desc) r) as plans,
       (select coalesce(jsonb_agg(jsonb_build_object('source_hash', encode(s.source_hash, 'hex'),
                                                     'reason', s.reason)), '[]')
        from source_blacklist s) as sources,
       (select coalesce(jsonb_agg(to_jsonb(f)), '[]') from failure_reason f) as reasons,
       (select coalesce(jsonb_agg(to_jsonb(t)), '[]') from notify_template t) as templates,
       (select coalesce(jsonb_agg(to_jsonb(t)), '[]')
        from (select distinct on (client, product_id) * from terms
              order by client, product_id, version desc) t) as terms,
       (select coalesce(jsonb_agg(to_jsonb(n)), '[]') from country n) as countries,
       (select coalesce(jsonb_agg(to_jsonb(o)), '[]') from mobile_operator o) as operators,
       (select coalesce(jsonb_object_agg(x.prefix, x.operator_code), '{}')
        from operator_prefix x) as prefixes
