import Testing

@testable import Settings

@Suite("References to the environment")
struct SubstitutionTests {
    private let substitution = Substitution(environment: ["NAME": "value", "EMPTY": "", "ODD": "a$$b${NAME}"])

    @Test(
        "references are replaced as a shell would",
        arguments: [
            ("${NAME}", "value"), ("a-${NAME}-b-${NAME}", "a-value-b-value"), ("${EMPTY}", ""),
            ("${UNSET:-}", ""), ("${UNSET:-other}", "other"), ("${EMPTY:-other}", "other"), ("${NAME:-other}", "value"),
            ("${UNSET:-${NAME}}", "value"), ("${NAME:?needed}", "value"),
            ("$$", "$"), ("$${NAME}", "${NAME}"), ("pa$word", "pa$word"), ("end$", "end$"), ("", ""),
            ("${ODD}", "a$$b${NAME}"),
        ]
    )
    func replaced(text: String, expanded: String) throws {
        #expect(try substitution.expand(text) == expanded)
    }

    @Test(
        "what cannot be replaced is refused with the reason",
        arguments: [
            ("${UNSET}", "UNSET, which is not set"), ("${UNSET}", "${UNSET:-default}"),
            ("${UNSET:?set it in the unit file}", "UNSET: set it in the unit file"), ("${EMPTY:?}", "EMPTY"),
            ("${NAME", "without its }"), ("${}", "does not name a variable"), ("${1A}", "does not name a variable"),
            ("${NAME+x}", "unknown operator"),
        ]
    )
    func refused(text: String, reason: String) {
        let refusal = #expect(throws: Refusal.self) { try substitution.expand(text) }
        #expect(refusal?.text.contains(reason) == true)
    }
}
