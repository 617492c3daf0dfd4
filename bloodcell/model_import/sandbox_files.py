"""What lies in the folder of a limited process (`model_import.sandbox`)."""

REQUEST_FILE, ANSWER_FILE, STEPS_FILE, OUTPUT_FILE = "request.json", "answer.json", "steps.txt", "output.txt"
MADE_DIR = "made"
