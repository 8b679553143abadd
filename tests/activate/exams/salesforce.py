from catchment.sandbox.vendors.salesforce import CLIENT_ID, CLIENT_SECRET

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {"url": place.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET},
    sync={
        "target": {"object": "Lead", "member_field": "In_Audience__c"},
        "identifiers": {"Catchment_Id__c": "person_id"},
        "fields": {"LastName": "last_name", "Company": "company", "Email": "email"},
    },
    held=lambda place: {key for key, lead in place.records("Lead").items() if lead["In_Audience__c"]},
    known_as=lambda payload: payload["Catchment_Id__c"],
    spoil=lambda payload: {**payload, "Email": "no address"},
)
