import FoundationEssentials

/// The page for people: what runs here, and what is left of the quotas.
///
/// Plain HTML, without a script.
struct StatusPage {
    var version: String
    var phase: String
    var connections: Int
    var quota: QuotaReport

    func html(at now: Date) -> String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>tidepool</title>
        <style>
        body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem; }
        table { border-collapse: collapse; }
        th, td { border-bottom: 1px solid #8884; padding: .3rem 1.2rem .3rem 0; text-align: left; }
        </style>
        </head>
        <body>
        <h1>tidepool \(escaped(version))</h1>
        <p>A read-only mirror of container registries: \(escaped(phase)), \(connections) connections.</p>
        <h2>Pull quota</h2>
        <table>
        <tr><th>Upstream<th>Account<th>Left<th>Window<th>Back (UTC)<th>Spent<th>Source</tr>
        \(quota.upstreams.map { row(QuotaRow($0, now: now, timeZone: .gmt)) }.joined(separator: "\n"))
        </table>
        <p><a href="metrics">metrics</a> <a href="readyz">readiness</a> <a href="-/api/quota">quota as JSON</a>
        <a href="v2/">registry API</a></p>
        </body>
        </html>

        """
    }

    private func row(_ row: QuotaRow) -> String {
        let cells = [row.upstream, row.account, row.left, row.window, row.back, row.spent, row.source]
        return "<tr>\(cells.map { "<td>\(escaped($0))" }.joined())</tr>"
    }

    /// Text as HTML: what stands in it came from registries and from settings.
    private func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
    }
}
