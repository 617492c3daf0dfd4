"""What lies in the folder of a limited process (`model_import.sandbox`)."""

REQUEST_FILE, RESPONSE_FILE, STEPS_FILE, OUTPUT_FILE = "request.json", "answer.json", "steps.txt", "output.txt"
MODEL_DIR = "made"
