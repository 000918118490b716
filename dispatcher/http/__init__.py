"""What transports over HTTP share; a plugin imports from these modules what it needs.

`transport.HttpTransport`   the base: one connection a thread, the rate, credentials
`settings.HttpSettings`     timeouts, rates and the token, from dispatcher.toml and the environment
`responses.Route`           where requests of one kind go
`responses.ErrorMap`        what a gateway's responses look like, and what each means: tables
`responses.Response`        what came back
`rules`                     what most gateways want of a payload: functions for `check`
`files`                     a file on its way, or a form: read once, in pieces, and checked
`client`                    the requests themselves
`connections`               connections that end in time and show a token to the gateway alone
`connection_errors`         what a connection that breaks means; for a status see `responses`
`permission`                whether a request may still leave, asked at the last moment
"""
