"""What transports over HTTP share; a plugin imports what it needs from these modules.

`transport.HttpTransport`   the base class: one connection per thread, rates, credentials
`settings.HttpSettings`     timeouts, rates and the token, from dispatcher.toml and the environment
`responses.Route`           where requests of one kind go
`responses.ErrorMap`        tables that say what a gateway's responses look like and mean
`responses.Response`        a response
`rules`                     what most gateways require of a payload: functions for `check`
`files`                     a file or form that is posted: read once, in pieces, and checked
`client`                    the requests themselves
`connections`               connections that end in time and show a token to the gateway alone
`connection_errors`         what a connection that breaks means; for a status see `responses`
`permission`                whether a request may still leave, checked at the last moment
"""
