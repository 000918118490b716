"""What transports over HTTP share; a plugin imports from these modules what it needs.

`transport.HttpTransport`   the base: one connection a thread, the rate, who we are
`settings.HttpSettings`     timeouts, rates and the token, from dispatcher.toml and the environment
`routes.Route`              where requests of one kind go
`dialect.Dialect`           what a gateway's answers look like, and what each means: tables
`files`                     a file on its way: read once, in pieces, and checked while it is read
`multipart.Multipart`       the same in a form
`answers.Answer`            what came back
`masking`                   the token shows in no text
`failures`, `client`        what every broken connection means; the requests themselves
`guard`                     whether a request may still leave, asked at the last moment
`wire`                      connections that show a token to the gateway alone
"""
