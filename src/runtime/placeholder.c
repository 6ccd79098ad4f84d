typedef int runtime_placeholder;
